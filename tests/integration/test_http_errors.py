"""Every exception in a handler is answered, without secrets in the answer or in the log."""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence

import pytest
from aiohttp import web

from chatcore.domain.state import RoomView
from chatcore.errors import Internal, Unavailable
from chatcore.ids import RoomId, UserId
from chatcore_http import Endpoint, Request, Response
from chatcore_http.bodies import read_bytes
from chatcore_http.urls import Segments
from chatcore_memory import MemoryStore
from tests.integration.http_hosts import EVERYWHERE, IN_AIOHTTP, marked
from tests.integration.http_node import PASSWORD, http_node

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def planted(fault: Callable[[], BaseException]) -> Endpoint:
    """An endpoint ``POST /fault`` that reads the body and then fails."""

    async def answer(request: Request, _: Segments) -> Response:
        await read_bytes(request)
        raise fault()

    return Endpoint("POST", "/fault", answer)


FAULTS: dict[str, Callable[[], BaseException]] = {
    "a bug": lambda: KeyError("a name"),
    "a lost connection to something else": lambda: ConnectionResetError("to the store"),
    "a timeout of something else": TimeoutError,
    "an assertion": AssertionError,
    "no memory": MemoryError,
    "too deep": RecursionError,
    "a group": lambda: ExceptionGroup("several", [ValueError(), KeyError()]),
    "aiohttp's own": web.HTTPInternalServerError,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_exception_in_handler_is_internal_and_next_request_is_served(
    fault: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async with http_node(planted(fault)) as node:
        await node.sign_in("alice")
        answer = await node.ask("POST", "/fault", {"password": PASSWORD}, user="alice")
        assert answer.refusal == (500, "internal", None)
        assert answer.json["detail"] == Internal().message
        assert answer.json["temporary"] is True
        assert answer.headers["Vary"] == "Origin"
        assert (await node.ask("GET", "/rooms", user="alice")).status == 200
        token = node.tokens["alice"]
    assert PASSWORD not in caplog.text
    assert token not in caplog.text
    if "aiohttp" not in str(fault):
        assert "POST" in caplog.text
        assert "/api/v1/fault" in caplog.text


async def test_exception_is_logged_once_a_minute_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    async with http_node(planted(lambda: KeyError("a name"))) as node:
        for _ in range(3):
            await node.ask("POST", "/fault", {})
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


class FallibleStore(MemoryStore):
    """A memory store whose reads fail while ``fault`` is set."""

    fault: Exception | None = None

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        if self.fault:
            raise self.fault
        return await super().views(room, users)


@marked(EVERYWHERE)
@pytest.mark.parametrize(
    ("fault", "refusal"),
    [(Unavailable(), (503, "unavailable", None)), (ZeroDivisionError("planted"), (500, "internal", None))],
)
async def test_store_failure_is_answered_and_heals(fault: Exception, refusal: object) -> None:
    store = FallibleStore()
    async with http_node(store=store) as node:
        await node.sign_in("alice")
        room = (await node.ask("POST", "/users/alice/messages", {"key": "k", "body": "x"}, user="alice")).json["room"]
        store.fault = fault
        answer = await node.ask("GET", f"/rooms/{room}", user="alice")
        assert answer.refusal == refusal
        assert answer.json["temporary"] is True
        assert b"planted" not in answer.body
        store.fault = None
        assert (await node.ask("GET", f"/rooms/{room}", user="alice")).status == 200


@marked(EVERYWHERE)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/rooms/pvt-alice-bob/members/broken", None),
        ("POST", "/users/broken/messages", {"key": "k", "body": "x"}),
        ("POST", "/rooms", {"kind": "group", "title": "Tea", "members": ["broken"], "key": "k"}),
    ],
    ids=["self", "path", "body"],
)
async def test_canonical_that_raises_is_internal_and_next_request_is_served(
    method: str, path: str, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    def canonical(name: str) -> str:
        if name == "broken":
            raise LookupError("the host's table of names is closed")
        return name

    async with http_node(canonical=canonical) as node:
        await node.sign_in("alice")
        assert (await node.ask(method, path, body, user="alice")).refusal == (500, "internal", None)
        assert (await node.ask("GET", "/rooms", user="alice")).status == 200
    assert "LookupError" in caplog.text


def requests_in_memory() -> int:
    return sum(issubclass(type(item), web.Request) for item in gc.get_objects())  # `isinstance` asks a dead proxy


@marked(IN_AIOHTTP)
@pytest.mark.parametrize("path", ["/nothing", "/api/v1/rooms/pvt-bob-eve/entries"])
async def test_refused_request_leaves_no_reference_cycle(path: str) -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        headers = {"Authorization": f"Bearer {node.tokens['alice']}"}
        gc.collect()
        gc.disable()
        try:
            before = requests_in_memory()
            for _ in range(3):
                assert (await node.send("GET", path, None, headers)).status == 404
            assert requests_in_memory() <= before + 1  # the connection still refers to the last request
        finally:
            gc.enable()
