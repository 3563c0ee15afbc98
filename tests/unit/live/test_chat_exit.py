"""Leaving a Chat answers every pending caller, and never hangs."""

from typing import Any

import anyio
import pytest

from chatcore import Chat, History, JoinRoom, Mark, MarkResult, SendMessage, Unavailable
from chatcore.chat import DRAIN_S
from chatcore.testing import Recorder
from tests.unit.live.nodes import HeldStore, live_objects

pytestmark = pytest.mark.anyio


async def test_connect_during_chat_exit_is_refused_without_a_push() -> None:
    """The simulation found a `ready` push of a node without tasks, and a RuntimeError."""
    store, bob = HeldStore(), Recorder()
    refused: list[Unavailable] = []

    async def connect() -> None:
        try:
            async with chat.connect(bob, user="bob"):
                pass
        except Unavailable as error:
            refused.append(error)

    chat = Chat(store)
    async with anyio.create_task_group() as tasks:
        gate = store.hold("memberships", done=True)
        async with chat:
            tasks.start_soon(connect)
            await gate.reached.wait()
        gate.open()
    assert refused
    assert bob.pushes == []
    assert live_objects(chat) == []


async def test_command_not_carried_out_during_chat_exit_is_unavailable() -> None:
    """The simulation found a caller of `execute` that waited for ever."""
    store = HeldStore()
    refused: list[Unavailable] = []

    async def send() -> None:
        try:
            await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        except Unavailable as error:
            refused.append(error)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks, Chat(store) as chat:
            gate = store.hold("append", done=False)
            tasks.start_soon(send)
            await gate.reached.wait()
    assert refused


async def test_chat_exit_by_cancellation_carries_out_queued_commands() -> None:
    store, answers = HeldStore(), list[dict[str, Any]]()
    gate = store.hold("append", done=False)
    scope = anyio.CancelScope()

    async def serve() -> None:
        with scope:
            async with Chat(store) as chat, chat.connect(Recorder(), user="bob") as socket:
                await socket.receive("message.send", {"to": "alice", "body": "one", "key": "one"}, answers.append)
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await gate.reached.wait()
        scope.cancel()
        await anyio.sleep(DRAIN_S - 0.1)
        gate.open()
    assert [answer["ok"] for answer in answers] == [True]


async def test_mark_written_during_chat_exit_is_answered_without_an_idle_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Chat has no idle task for the work that a mark starts."""
    store = HeldStore()
    async with Chat(store) as earlier:
        await earlier.execute("alice", SendMessage(to="bob", body="hi", key="k"))
    mark, written, opened = store.mark, anyio.Event(), anyio.Event()
    answers: list[MarkResult] = []

    async def held(*arguments: Any) -> Any:
        view = await mark(*arguments)
        written.set()
        await opened.wait()
        return view

    async def read() -> None:
        answers.append(await chat.execute("bob", Mark(room="pvt-alice-bob", read=1)))

    monkeypatch.setattr(store, "mark", held)
    chat = Chat(store)
    async with anyio.create_task_group() as tasks:
        async with chat:
            tasks.start_soon(read)
            await written.wait()
        opened.set()
    assert [marks.read for marks in answers] == [1]


async def test_chat_that_was_left_refuses_every_command_as_unavailable() -> None:
    async with Chat(HeldStore()) as chat:
        pass
    for command in (SendMessage(to="bob", body="hi", key="k"), JoinRoom(room="pvt-alice-bob"), History(peer="bob")):
        with pytest.raises(Unavailable):
            await chat.execute("alice", command)


async def test_command_of_a_socket_during_chat_exit_is_answered() -> None:
    """A transport may pass on a command that it read before it received `bye`."""
    store, bob = HeldStore(), Recorder()
    answers: list[dict[str, Any]] = []

    async def talk() -> None:
        async with chat.connect(bob, user="bob") as socket:
            await socket.receive("message.send", {"to": "alice", "body": "one", "key": "one"}, answers.append)
            await bob.until(lambda _: bob.bye is not None)
            await anyio.sleep(10)
            await socket.receive("message.send", {"to": "alice", "body": "two", "key": "two"}, answers.append)

    async with anyio.create_task_group() as tasks, Chat(store) as chat:
        gate = store.hold("append", done=False)
        tasks.start_soon(talk)
        await gate.reached.wait()
    assert [answer["error"]["code"] for answer in answers] == ["unavailable", "unavailable"]


async def test_reading_command_of_an_ended_socket_is_unavailable() -> None:
    store, answers = HeldStore(), list[dict[str, Any]]()
    async with Chat(store) as chat:
        async with chat.connect(Recorder(), user="bob") as socket:
            pass
        store.calls.clear()
        await socket.receive("sync", {"cursors": {"pvt-alice-bob": {"seq": 0}}}, answers.append)
        assert [answer["error"]["code"] for answer in answers] == ["unavailable"]
        assert store.calls == []
