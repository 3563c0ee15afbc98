"""ChatApp as the outer application of a server, and mounted in one: lifespan, paths, and wrong use."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from starlette.applications import Starlette
from starlette.routing import Mount
from yarl import URL

from chatcore import Chat, Credentials, Principal
from chatcore.errors import StoreError
from chatcore_asgi import ChatApp
from chatcore_asgi.http import client_address
from chatcore_asgi.paths import path_below
from chatcore_memory import MemoryStore
from tests.integration.http_frameworks import PAGE, django_app, starlette_app
from tests.integration.http_hosts import uvicorn_listening

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def authenticate(credentials: Credentials) -> Principal | None:
    return Principal(credentials.token) if credentials.token else None


def chat_app(chat: Chat, **options: Any) -> ChatApp:
    return ChatApp(chat, authenticate, **options)


async def get(url: str) -> tuple[int, str]:
    async with ClientSession() as client, client.get(url, headers={"Authorization": "Bearer alice"}) as answer:
        return answer.status, await answer.text()


async def test_outer_chat_app_enters_and_leaves_its_chat_around_an_application_without_lifespan() -> None:
    chat = Chat(MemoryStore())
    async with uvicorn_listening(chat_app(chat, prefix="/chat", other=django_app())) as url:
        assert (await get(f"{url}/chat/api/v1/rooms"))[0] == 200
        assert (await get(url)) == (200, PAGE)
    with pytest.raises(RuntimeError, match="entered once"):
        async with chat:
            pass


async def test_lifespan_of_the_other_application_runs_and_may_enter_the_chat() -> None:
    chat, events = Chat(MemoryStore()), []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with chat:
            events.append("started")
            yield
        events.append("stopped")

    async with uvicorn_listening(chat_app(chat, prefix="/chat", other=Starlette(lifespan=lifespan))) as url:
        assert (await get(f"{url}/chat/api/v1/rooms"))[0] == 200
        assert events == ["started"]
    assert events == ["started", "stopped"]


async def lifespan_answers(app: ChatApp) -> Sequence[dict[str, Any]]:
    """Return what an application answers to the start and the stop of a server."""
    answers: list[Any] = []
    events: asyncio.Queue[Any] = asyncio.Queue()
    for event in ("startup", "shutdown"):
        events.put_nowait({"type": f"lifespan.{event}"})

    async def send(message: Any) -> None:
        answers.append(message)

    await app({"type": "lifespan", "state": {}}, events.get, send)
    return answers


async def test_startup_that_fails_is_reported_to_the_server(caplog: pytest.LogCaptureFixture) -> None:
    class LostStore(MemoryStore):
        async def __aenter__(self) -> "LostStore":
            raise StoreError("the disk is gone")

    @asynccontextmanager
    async def failing(_: Starlette) -> AsyncGenerator[None]:
        raise ZeroDivisionError("planted")
        yield

    for app, text in (
        (chat_app(Chat(LostStore())), "the disk is gone"),
        (chat_app(Chat(MemoryStore()), prefix="/chat", other=Starlette(lifespan=failing)), "planted"),
    ):
        (answer,) = await lifespan_answers(app)
        assert answer["type"] == "lifespan.startup.failed"
        assert text in answer["message"]
    assert "the disk is gone" not in caplog.text  # the server logs the message, in one line


async def test_chat_that_was_not_entered_is_unavailable_and_the_log_has_the_missing_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Starlette(routes=[Mount("/chat", chat_app(Chat(MemoryStore())))])
    async with uvicorn_listening(app) as url:
        for _ in range(2):
            status, text = await get(f"{url}/chat/api/v1/rooms")
            assert (status, '"unavailable"' in text) == (503, True)
            (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("chatcore")]
            assert "async with chat: yield" in line
            assert "\n" not in line


async def raw_answer(url: str, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
    writer.write(f"{request}\r\nHost: shop.example\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:"))


OUTSIDE = [
    "GET / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "GET /chat HTTP/1.1",
    "GET /chats/api/v1/rooms HTTP/1.1",
    "GET /api/v1/rooms HTTP/1.1",
    "DELETE / HTTP/1.1",
    "OPTIONS / HTTP/1.1\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: PUT",
    "GET / HTTP/1.1\r\nOrigin: https://evil.example",
    "GET /%2e%2e/chat HTTP/1.1",
]


@pytest.mark.parametrize("framework", ["django", "starlette"])
async def test_answers_outside_of_the_prefix_are_byte_equal_with_and_without_chat_app(framework: str) -> None:
    def other() -> Any:
        if framework == "django":
            return django_app()
        return starlette_app(Chat(MemoryStore()), chat_app(Chat(MemoryStore())))

    answers = []
    for app in (other(), chat_app(Chat(MemoryStore()), prefix="/chat", other=other())):
        async with uvicorn_listening(app, lifespan="auto") as url:
            answers.append([await raw_answer(url, request) for request in OUTSIDE])
    assert answers[0] == answers[1]
    assert len(set(answers[0])) > 2


async def test_several_chat_apps_around_one_application() -> None:
    inner = chat_app(Chat(MemoryStore()), prefix="/one", other=django_app())
    async with uvicorn_listening(chat_app(Chat(MemoryStore()), prefix="/two", other=inner)) as url:
        for prefix in ("/one", "/two"):
            assert (await get(f"{url}{prefix}/api/v1/rooms"))[0] == 200
        assert (await get(url)) == (200, PAGE)


async def test_remote_of_the_host_is_the_address_of_the_client() -> None:
    seen = []

    async def noting(credentials: Credentials) -> Principal | None:
        seen.append(credentials.remote)
        return None

    for remote in (client_address, lambda _: "192.0.2.7"):
        app = ChatApp(Chat(MemoryStore()), noting, remote=remote)
        async with uvicorn_listening(app, proxy_headers=False) as url, ClientSession() as client:
            headers = {"X-Forwarded-For": "192.0.2.8", "Forwarded": "for=192.0.2.9"}
            async with client.get(f"{url}/api/v1/rooms", headers=headers) as answer:
                assert answer.status == 401
    assert seen == ["127.0.0.1", "192.0.2.7"]


@pytest.mark.parametrize(("http_version", "read"), [("1.1", 0), ("2", 1)])
async def test_body_that_no_header_announces_is_read_from_http_2_on(http_version: str, read: int) -> None:
    answers: list[Any] = []
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        answers.append(message)

    async with Chat(MemoryStore()) as chat:
        scope = {
            "type": "http",
            "http_version": http_version,
            "method": "DELETE",
            "path": "/api/v1/rooms/x/messages/1",
            "raw_path": b"/api/v1/rooms/x/messages/1",
            "query_string": b"key=k",
            "headers": [(b"authorization", b"Bearer alice")],
        }
        await chat_app(chat)(scope, receive, send)
    assert (received, answers[0]["status"]) == (read, 400 if read else 404)


@pytest.mark.parametrize("prefix", ["/", "chat", "/chat/", "//chat", "/{chat}", "/a b"])
def test_prefix_that_is_no_plain_path_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"must be a path such as '/chat'"):
        chat_app(Chat(MemoryStore()), prefix=prefix)


def test_other_application_needs_a_prefix_of_its_own() -> None:
    inner = chat_app(Chat(MemoryStore()), prefix="/chat", other=django_app())
    with pytest.raises(ValueError, match=r"other= needs a prefix="):
        chat_app(Chat(MemoryStore()), other=django_app())
    with pytest.raises(ValueError, match="/chat is mounted already: choose another prefix"):
        chat_app(Chat(MemoryStore()), prefix="/chat", other=inner)


@pytest.mark.parametrize(
    ("scope", "prefix", "below"),
    [
        ({"path": "/api/v1/users/a/b", "raw_path": b"/api/v1/users/a%2Fb"}, "", "/api/v1/users/a%2Fb"),
        ({"path": "/c/api/x/y", "raw_path": b"/c/api/x%2Fy"}, "/c", "/api/x%2Fy"),
        ({"path": "/r/c/x/y", "root_path": "/r/c", "raw_path": b"/r/c/x%2Fy"}, "", "/x%2Fy"),
        # The server has a root path, and leaves it out of the path (Hypercorn).
        ({"path": "/c/x/y", "root_path": "/r/c", "app_root_path": "/r", "raw_path": b"/c/x%2Fy"}, "", "/x%2Fy"),
        # Litestar strips its prefix, collapses slashes and adds one.
        ({"path": "/api/u/m/", "root_path": "", "raw_path": b"/c/api/u/%2F%2F/m"}, "", "/api/u/%2F%2F/m"),
        ({"path": "/api/ä/", "root_path": "", "raw_path": b"/c/api/%C3%A4"}, "", "/api/%C3%A4"),
        # Without raw_path a slash in a name cannot be told from one of the path.
        ({"path": "/c/api/ä", "root_path": "/c"}, "", "/api/%C3%A4"),
        ({"path": "/c/api", "raw_path": b"/c/api?x=1"}, "/c", "/api"),
        ({"path": "/chat", "raw_path": b"/chat"}, "/c", None),
        ({"path": "/c", "raw_path": b"/c"}, "/c", None),
        ({"path": "/c/api", "raw_path": b"/c%2Fapi"}, "/c", None),
        ({"path": "/c/api", "raw_path": b"/"}, "/c", None),
    ],
)
def test_path_below_is_the_end_of_the_raw_path(scope: dict[str, Any], prefix: str, below: str | None) -> None:
    assert path_below(scope, prefix) == below
