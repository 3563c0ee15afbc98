"""The Python client around its rules: tokens, live values, frames that can't be taken. In virtual time."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, field

from chatcore.protocol import Object
from chatcore.testing import virtual_time
from chatcore_client import Client, ClientEnded, ClientError, MemoryStore, Store, connect
from chatcore_client.transport import ConnectionHandler

pytestmark = pytest.mark.anyio

READY: Object = {"protocol": 1, "features": [], "epoch": "e1", "user": "alice", "rooms": [], "expires_in": 900}
SENT: Object = {
    "ok": True,
    "room": "pvt-alice-bob",
    "epoch": "e1",
    "at": "2026-11-30T00:00:00.000Z",
    "duplicate": False,
}
FORBIDDEN: Object = {"ok": False, "error": {"code": "forbidden", "message": "No.", "temporary": False}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time("asyncio")


@define(eq=False)
class Wire:
    """A connection whose server is the test. ``sent`` has its commands without an answer.

    Attributes:
        answers: answers that commands of these names get at once.
    """

    token: str
    handler: ConnectionHandler
    sent: list[tuple[str, Object, Callable[[Object], None]]] = field(factory=list)
    answers: dict[str, Object] = field(factory=dict)
    is_closed: bool = False

    def send(self, event: str, data: Object, on_answer: Callable[[Object], None]) -> None:
        if event in self.answers:
            asyncio.get_running_loop().call_soon(on_answer, self.answers[event])
        else:
            self.sent.append((event, data, on_answer))

    def close(self) -> None:
        self.is_closed = True

    def answer(self, event: str, answer: Object) -> Object:
        """Answer the oldest command, which is of this name. Returns its object."""
        name, data, on_answer = self.sent.pop(0)
        assert name == event
        on_answer(answer)
        return data


@define(eq=False)
class Network:
    """A transport that connects to the test."""

    wires: asyncio.Queue[Wire] = field(factory=asyncio.Queue)
    is_closed: bool = False

    def open(self, token: str, handler: ConnectionHandler) -> Wire:
        wire = Wire(token, handler)
        self.wires.put_nowait(wire)
        return wire

    async def close(self) -> None:
        self.is_closed = True

    def pause_factor(self) -> float:
        return 1

    async def ready(self) -> Wire:
        """Let the client's next attempt to connect succeed."""
        wire = await self.wires.get()
        wire.handler.pushed("ready", READY)
        return wire


@define(eq=False)
class Tokens:
    """A token function that returns another token each time, or the same one.

    Attributes:
        asked: when it was called, and with what.
    """

    is_same: bool = False
    asked: list[tuple[float, str | None]] = field(factory=list)
    called: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, refused: str | None) -> str:
        self.asked.append((asyncio.get_running_loop().time(), refused))
        self.called.set()
        return "token" if self.is_same else f"token-{len(self.asked)}"


@asynccontextmanager
async def connected(token: Any = "token", store: Store | None = None) -> AsyncGenerator[tuple[Client, Network, Wire]]:
    network = Network()
    async with connect("http://chat", token, store=store, transport=network) as client:
        yield client, network, await network.ready()
    assert network.is_closed


@pytest.fixture
async def faults() -> AsyncGenerator[list[BaseException]]:
    """The exceptions that the event loop was told of."""
    told: list[BaseException] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    yield told
    loop.set_exception_handler(before)


async def test_every_warning_lets_the_token_of_the_connection_be_renewed() -> None:
    tokens = Tokens()
    async with connected(tokens) as (_, _, wire):
        wire.answers["auth.refresh"] = {"ok": True, "expires_in": 20}
        for _ in range(5):
            tokens.called.clear()
            wire.handler.pushed("auth.expiring", {"expires_in": 10})
            await tokens.called.wait()
            await asyncio.sleep(1)  # the answer arrives
    assert [refused for _, refused in tokens.asked[1:]] == ["token-1", "token-2", "token-3", "token-4", "token-5"]


async def test_token_function_that_returns_the_same_token_is_asked_again_before_its_end() -> None:
    tokens = Tokens(is_same=True)
    async with connected(tokens) as (_, _, wire):
        wire.answers["auth.refresh"] = {"ok": True, "expires_in": 900}
        wire.handler.pushed("auth.expiring", {"expires_in": 60})
        await asyncio.sleep(60)
    assert [time for time, _ in tokens.asked[1:]] == [0, 30, 45, 52.5, 56.25, 58.125]


async def test_frame_that_can_not_be_taken_ends_its_connection(faults: list[BaseException]) -> None:
    async with connected() as (client, network, wire):
        wire.handler.pushed("entry", {"seq": "of nothing"})
        assert wire.is_closed
        assert [type(fault) for fault in faults] == [KeyError]
        assert client.status.snapshot().state == "offline"
        await network.ready()
        assert client.status.snapshot().state == "online"


async def test_listener_that_raises_does_not_stop_others(faults: list[BaseException]) -> None:
    heard: list[str] = []

    def fails() -> None:
        raise RuntimeError("a fault of the listener")

    async with connected() as (client, _, wire):
        client.status.subscribe(fails)
        client.status.subscribe(lambda: heard.append(client.status.snapshot().state))
        wire.handler.closed(1006)
        await asyncio.sleep(0.1)
        assert heard == ["offline"]
        assert [str(fault) for fault in faults] == ["a fault of the listener"]


async def test_slow_reader_gets_the_newest_value() -> None:
    async with connected() as (client, _, _):
        room = client.room(with_="bob")
        reader = aiter(room.messages)
        assert await anext(reader) == ()
        for number in range(5):
            room.send(str(number))
        assert [message.body for message in await anext(reader)] == ["0", "1", "2", "3", "4"]


async def test_done_follows_a_message_through_refusal_and_retry() -> None:
    store = MemoryStore()
    async with connected(store=store) as (client, _, wire):
        room = client.room(with_="bob")
        message = room.send("hi")
        first = wire.answer("message.send", FORBIDDEN)
        with pytest.raises(ClientError, match="No"):
            await message.done
        (failed,) = room.messages.snapshot()
        (kept,) = store.load()
        assert (failed.state, failed.error, kept["error"]) == ("failed", FORBIDDEN["error"], FORBIDDEN["error"])
        failed.retry()
        waiting = asyncio.ensure_future(message.done)
        await asyncio.sleep(0)
        assert wire.answer("message.send", {**SENT, "seq": 7}) == first
        assert await waiting == await failed.done == 7
        assert list(store.load()) == []


async def test_failed_message_of_an_earlier_run_says_why() -> None:
    store = MemoryStore()
    store.put({"user": "alice", "to": "bob", "key": "k", "body": "hi", "error": FORBIDDEN["error"]})
    async with connected(store=store) as (client, _, _):
        (message,) = client.room(with_="bob").messages.snapshot()
        with pytest.raises(ClientError, match="No"):
            await message.done


async def test_closed_client_gives_up_what_waits_and_keeps_the_store() -> None:
    store = MemoryStore()
    async with connected(store=store) as (client, _, wire):
        room = client.room(with_="bob")
        message = room.send("hi")
        room.messages.subscribe(lambda: None)
        waits = [asyncio.ensure_future(wait) for wait in (message.done, client.call("rooms"), room.more())]
        await asyncio.sleep(0)
    assert wire.is_closed
    ends = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(end) for end in ends] == [ClientEnded, ClientEnded, bool]
    assert [item["body"] for item in store.load()] == ["hi"]


class FullStore(MemoryStore):
    """A store that has no space."""

    def put(self, item: Object) -> None:
        raise OSError("No space left on device")


async def test_message_that_the_store_can_not_keep_is_not_sent() -> None:
    async with connected(store=FullStore()) as (client, _, wire):
        room = client.room(with_="bob")
        with pytest.raises(OSError, match="No space"):
            room.send("hi")
        assert (room.messages.snapshot(), wire.sent) == ((), [])


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": object()}])
async def test_data_that_is_no_json_is_not_sent(data: Object) -> None:
    async with connected() as (client, _, wire):
        room = client.room(with_="bob")
        with pytest.raises((TypeError, ValueError)):
            room.send("hi", data=data)
        with pytest.raises((TypeError, ValueError)):
            await client.call("mark", data)
        assert (room.messages.snapshot(), wire.sent) == ((), [])


async def test_client_is_entered_once() -> None:
    async with connected() as (client, _, _):
        with pytest.raises(RuntimeError, match="entered once"):
            await client.__aenter__()


def test_room_is_named_by_its_id_or_by_a_user() -> None:
    client = connect("http://chat", "token", transport=Network())
    assert client.room("r") is client.room("r") is not client.room(with_="r")
    for wrong in ({}, {"room": "r", "with_": "bob"}):
        with pytest.raises(TypeError, match="by its id, or by with_"):
            client.room(**wrong)
