"""chatcore mounted in a host's aiohttp application."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler
from yarl import URL

from chatcore import Chat, Credentials, Principal
from chatcore_aiohttp import mount
from chatcore_memory import MemoryStore
from tests.integration.clients import RawClients
from tests.integration.http_hosts import aiohttp_listening

pytestmark = pytest.mark.anyio

BEARER = {"Authorization": "Bearer alice"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def authenticate(credentials: Credentials) -> Principal | None:
    return Principal(credentials.token) if credentials.token else None


async def page(request: web.Request) -> web.Response:
    return web.Response(text=f"page {request.path}")


def host_app(prefixes: Sequence[str] = (), chat: Chat | None = None) -> web.Application:
    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/chat", page)
    app.router.add_post("/orders/{order}", page)
    chat = chat or Chat(MemoryStore())
    for prefix in prefixes:
        mount(app, prefix, chat, authenticate)
    return app


@asynccontextmanager
async def listening(app: web.Application) -> AsyncGenerator[tuple[str, ClientSession]]:
    async with aiohttp_listening(app) as url, ClientSession() as client:
        yield url, client


async def status(client: ClientSession, url: str, **headers: str) -> int:
    async with client.get(URL(url, encoded=True), headers=headers or BEARER) as answer:
        return answer.status


OUTSIDE = [
    "GET / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "GET /chat HTTP/1.1",
    "GET /chats/api/v1/rooms HTTP/1.1",
    "GET /nonsense HTTP/1.1",
    "GET /api/v1/rooms HTTP/1.1",
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1",
    "GET /orders/1 HTTP/1.1",
    "POST /orders/1 HTTP/1.1\r\nContent-Length: 2\r\nExpect: nonsense\r\n\r\n{}",
    "DELETE / HTTP/1.1",
    "OPTIONS / HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "OPTIONS / HTTP/1.1\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: PUT",
    "GET / HTTP/1.1\r\nOrigin: https://evil.example",
    "GET /%2e%2e/chat HTTP/1.1",
    "GET / HTTP/1.1\r\nCookie: a=1; a=2; \x01",
    "NONSENSE",
]


async def raw_answers(app: web.Application) -> Sequence[bytes]:
    """Return the answers to `OUTSIDE` as they are sent, without their time."""
    answers = []
    async with aiohttp_listening(app) as url:
        for request in OUTSIDE:
            reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
            head, _, body = request.partition("\r\n\r\n")
            writer.write(f"{head}\r\nHost: shop.example\r\nConnection: close\r\n\r\n{body}".encode())
            answers.append(re.sub(rb"Date: [^\r]*", b"Date", await reader.read()))
            writer.close()
    return answers


async def test_answers_outside_of_the_prefix_are_byte_equal_with_and_without_a_mount() -> None:
    without = await raw_answers(host_app())
    assert await raw_answers(host_app(["/chat", "/other/chat"])) == without
    assert len(set(without)) > 5


async def test_mount_enters_the_chat_and_leaves_it_at_the_end() -> None:
    chat = Chat(MemoryStore())
    async with listening(host_app(["/chat"], chat)) as (url, client):
        assert await status(client, f"{url}/chat/api/v1/rooms") == 200
    assert chat.is_entered
    with pytest.raises(RuntimeError, match="entered once"):
        async with chat:
            pass


async def test_chat_that_the_host_has_entered_stays_entered_after_the_application() -> None:
    async with Chat(MemoryStore()) as chat:
        for _ in range(2):
            async with listening(host_app(["/chat"], chat)) as (url, client):
                assert await status(client, f"{url}/chat/api/v1/rooms") == 200


async def test_several_mounts_serve_one_chat_at_any_depth() -> None:
    chat = Chat(MemoryStore())
    app, inner = host_app(["/chat", "/chat/two", "/a/b/c"], chat), web.Application()
    mount(inner, "/chat", chat, authenticate)
    app.add_subapp("/admin", inner)
    async with listening(app) as (url, client):
        for prefix in ("/chat", "/chat/two", "/a/b/c", "/admin/chat"):
            for name in ("a%2Fb", "%7Bx%7D", "%2F", "%25"):
                api = URL(f"{url}{prefix}/api/v1/users/{name}", encoded=True)
                body = {"key": f"{prefix}"[-64:], "body": "x"}
                async with client.post(URL(f"{api}/messages", encoded=True), json=body, headers=BEARER) as sent:
                    assert sent.status == 201, await sent.text()
            async with client.get(f"{url}{prefix}/api/v1/rooms", headers=BEARER) as rooms:
                assert sorted(room["peer"] for room in (await rooms.json())["rooms"]) == ["%", "/", "a/b", "{x}"]


async def test_socketio_is_served_below_the_prefix_and_ends_with_the_application() -> None:
    async with ClientSession() as client, AsyncExitStack() as serving:
        url = await serving.enter_async_context(aiohttp_listening(host_app(["/chat"])))
        socket = await RawClients(client, f"{url}/chat/socket.io/").connect("alice")
        assert socket.ready["user"] == "alice"
        await serving.aclose()
        assert await socket.closed() == 1001
        assert socket.bodies_of("bye") == [{"code": "shutdown", "resumable": True}]


async def test_body_that_a_middleware_of_the_host_has_read_is_read_again() -> None:
    @web.middleware
    async def reading(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert await request.read() is not None
        return await handler(request)

    app = host_app(["/chat"])
    app.middlewares.append(reading)
    async with listening(app) as (url, client):
        body = {"key": "k", "body": "x"}
        async with client.post(f"{url}/chat/api/v1/users/bob/messages", json=body, headers=BEARER) as sent:
            assert sent.status == 201


async def test_remote_of_the_host_is_the_address_of_the_client_and_headers_are_not() -> None:
    seen = []

    async def noting(credentials: Credentials) -> Principal | None:
        seen.append(credentials.remote)
        return None

    app = web.Application()
    mount(app, "/plain", Chat(MemoryStore()), noting)
    mount(app, "/told", Chat(MemoryStore()), noting, remote=lambda request: request.headers["X-Real-IP"])
    async with listening(app) as (url, client):
        for prefix in ("/plain", "/told"):
            headers = {"X-Real-IP": "192.0.2.7", "X-Forwarded-For": "192.0.2.8", "Forwarded": "for=192.0.2.9"}
            assert await status(client, f"{url}{prefix}/api/v1/rooms", **headers) == 401
    assert seen == ["127.0.0.1", "192.0.2.7"]


NO_PREFIXES = [
    "",
    "/",
    "chat",
    "/chat/",
    "//chat",
    "/a//b",
    "/{chat}",
    "/a b",
    "/a%20b",
    "/a?b",
    "/a\n",
    "/../a",
    "/a/.",
]


def of_wrong_type(**wrong: Any) -> None:
    arguments: dict[str, Any] = {"prefix": "/chat", "authenticate": authenticate, "origins": None, **wrong}
    mount(web.Application(), arguments.pop("prefix"), Chat(MemoryStore()), **arguments)


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"prefix": None}, "the prefix must be a str such as '/chat', not NoneType"),
        ({"authenticate": None}, "authenticate must be an async function of Credentials, not NoneType"),
        ({"origins": ["https://a.example"]}, 'origins must be Origins(["https://shop.example"]), not list'),
    ],
)
def test_argument_of_wrong_type_is_refused_in_one_line(wrong: dict[str, Any], remedy: str) -> None:
    with pytest.raises(TypeError) as refused:
        of_wrong_type(**wrong)
    assert str(refused.value) == remedy


@pytest.mark.parametrize("prefix", NO_PREFIXES)
def test_prefix_that_is_no_plain_path_is_refused_in_one_line(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"must be a path such as '/chat'") as refused:
        mount(web.Application(), prefix, Chat(MemoryStore()), authenticate)
    assert "\n" not in str(refused.value)


def test_second_mount_at_a_prefix_is_refused() -> None:
    app = host_app(["/chat"])
    with pytest.raises(ValueError, match="/chat is mounted already: choose another prefix"):
        mount(app, "/chat", Chat(MemoryStore()), authenticate)


async def test_mount_in_a_started_application_is_refused_with_what_to_do() -> None:
    app = web.Application()
    async with aiohttp_listening(app):
        with pytest.raises(RuntimeError, match="mount /chat before the application starts"):
            mount(app, "/chat", Chat(MemoryStore()), authenticate)


def test_mount_in_an_application_that_was_added_to_another_is_refused() -> None:
    app, part = web.Application(), host_app(["/chat"])
    app.add_subapp("/part", part)
    with pytest.raises(RuntimeError, match="mount /other before the application starts or is added"):
        mount(part, "/other", Chat(MemoryStore()), authenticate)
