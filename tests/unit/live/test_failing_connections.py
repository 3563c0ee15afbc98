"""A connection that raises is closed. Every other socket gets all of its pushes."""

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore import (
    Bye,
    Chat,
    CreateRoom,
    Entry,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    Mark,
    Push,
    RemoveUser,
    SendMessage,
)
from chatcore.testing import Recorder, virtual_time
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import live_objects

pytestmark = pytest.mark.anyio

START = datetime(2026, 11, 25, tzinfo=UTC)
SOCKETS = ("olga", "bob", "carol", "bob", "carol", "olga")


class FailingRecorder(Recorder):
    """A connection whose `send` raises for the pushes that ``fails`` accepts; `close` too, if it ``fails_to_close``."""

    def __init__(
        self,
        fails: Callable[[Push], bool],
        fault: Callable[[], BaseException] = ConnectionResetError,
        *,
        fails_to_close: bool = False,
    ) -> None:
        super().__init__()
        self.closed: list[Bye] = []
        self.refused: list[str] = []
        self._fails = fails
        self._fault = fault
        self._fails_to_close = fails_to_close

    def send(self, push: Push) -> None:
        if self._fails(push):
            self.refused.append(push.event)
            raise self._fault()
        super().send(push)

    def close(self, bye: Bye) -> None:
        self.closed.append(bye)
        if self._fails_to_close:
            raise OSError("the connection is lost")
        super().close(bye)

    async def drained(self) -> None:
        if self._fails(Push("drained", Bye(code="slow"))):
            raise self._fault()


def from_push(number: int) -> Callable[[Push], bool]:
    """Accept the push with this number, counted from 0, and every later push."""
    count = iter(range(number))
    return lambda _: next(count, None) is None


def events_of(recorder: Recorder) -> list[str]:
    return [f"entry {push.body.seq}" if isinstance(push.body, Entry) else push.event for push in recorder.pushes]


async def cause_pushes(chat: Chat) -> None:
    """Cause every kind of push about a room."""
    room = (await chat.execute("olga", CreateRoom(kind="public", title="Tea", key="k"))).view.room
    await chat.execute("carol", JoinRoom(room=room))
    await chat.execute("bob", JoinRoom(room=room))
    for number in range(3):
        await chat.execute("bob", SendMessage(room=room, body="hi", key=str(number)))
    await chat.execute("carol", Mark(room=room, read=4))
    await chat.execute("olga", RemoveUser(room=room, user="bob"))
    await chat.execute("olga", InviteUser(room=room, user="bob"))
    await chat.execute("bob", LeaveRoom(room=room))
    await chat.execute("olga", SendMessage(room=room, body="bye", key="bye"))


async def pushed(failing: Mapping[int, int]) -> list[list[str]]:
    """Return the pushes to each of `SOCKETS`. A socket in ``failing`` raises from the push of that number on."""
    async with Chat(MemoryStore(), new_id=iter(map(str, range(100))).__next__) as chat, AsyncExitStack() as sockets:
        recorders = [
            FailingRecorder(from_push(failing[number])) if number in failing else Recorder()
            for number in range(len(SOCKETS))
        ]
        for user, recorder in zip(SOCKETS, recorders, strict=True):
            await sockets.enter_async_context(chat.connect(recorder, user=user))
        await cause_pushes(chat)
        await anyio.sleep(1)
        for number in failing:
            assert recorders[number].bye in (Bye(code="slow"), None)
        events = [events_of(recorder) for recorder in recorders]
    assert live_objects(chat) == []
    return events


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(failing=st.dictionaries(st.integers(0, len(SOCKETS) - 1), st.integers(0, 12)))
def test_failing_connections_do_not_affect_pushes_to_others(backend: str, failing: Mapping[int, int]) -> None:
    def run(fails: Mapping[int, int]) -> list[list[str]]:
        name, options = virtual_time(backend)
        return anyio.run(pushed, fails, backend=name, backend_options=options)

    expected, actual = run({}), run(failing)
    assert any("entry 10" in events for events in expected)
    for number, events in enumerate(expected):
        assert actual[number] == (events[: failing[number]] if number in failing else events)


@pytest.mark.parametrize("fault", [ConnectionResetError, CancelledError], ids=["an error", "a cancelled future"])
@pytest.mark.parametrize("fails_to_close", [False, True], ids=["closes", "fails to close"])
@pytest.mark.parametrize("event", ["ready", "room", "entry", "marker", "room.gone", "auth.expiring"])
async def test_connection_that_raises_is_closed_once_and_logged_once(
    event: str, fails_to_close: bool, fault: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    phone = FailingRecorder(lambda push: push.event == event, fault, fails_to_close=fails_to_close)
    laptop = Recorder()
    began = anyio.current_time()

    def clock() -> datetime:
        return START + timedelta(seconds=anyio.current_time() - began)

    async with Chat(MemoryStore(), clock=clock) as chat:
        expires_at = START + timedelta(seconds=100)
        async with (
            chat.connect(phone, user="bob", expires_at=expires_at),
            chat.connect(laptop, user="bob"),
            chat.connect(Recorder(), user="carol"),
        ):
            await cause_pushes(chat)
            await anyio.sleep(60)
            await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
    assert phone.refused == [event]
    assert phone.closed == [Bye(code="slow")]
    assert events_of(laptop)[-1] == "entry 1"
    (logged,) = [record for record in caplog.records if phone.id in record.getMessage()]
    assert logged.exc_info
    assert [record for record in caplog.records if record is not logged] == []


async def test_command_is_answered_though_drained_of_its_connection_raises(caplog: pytest.LogCaptureFixture) -> None:
    phone = FailingRecorder(lambda push: push.event == "drained")
    answers: list[dict[str, Any]] = []
    async with Chat(MemoryStore()) as chat, chat.connect(phone, user="bob") as socket:
        await socket.receive("rooms", {}, answers.append)
    assert answers == [{"ok": True, "rooms": []}]
    assert phone.closed == [Bye(code="slow")]
    assert phone.id in caplog.text


async def test_connection_that_raises_in_close_does_not_keep_the_chat_open() -> None:
    phone, laptop = FailingRecorder(lambda _: False, fails_to_close=True), Recorder()
    async with AsyncExitStack() as sockets:
        async with Chat(MemoryStore()) as chat:
            for connection in (phone, laptop):
                await sockets.enter_async_context(chat.connect(connection, user="bob"))
        assert laptop.bye == Bye(code="shutdown")
        assert phone.closed == [Bye(code="shutdown")]
