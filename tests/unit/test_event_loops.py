"""A Chat refuses calls from an event loop other than the loop in which it was entered. They change nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import Any

import anyio
import pytest

from chatcore import Chat, History, SendMessage
from chatcore.socket import Socket
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import EventRecorder

pytestmark = pytest.mark.anyio

MESSAGE = {"to": "alice", "body": "hi", "key": "k"}
CALLS: dict[str, Callable[[Chat, Socket], Awaitable[object]]] = {
    "execute": lambda chat, _: chat.execute("alice", SendMessage(to="bob", body="hi", key="k")),
    "execute a reading command": lambda chat, _: chat.execute("alice", History(peer="bob")),
    "connect": lambda chat, _: chat.connect(Recorder(), user="alice").__aenter__(),
    "receive": lambda _, socket: socket.receive("message.send", MESSAGE),
    "sockets": lambda chat, _: chat.sockets("bob"),
    "close_socket": lambda chat, socket: chat.close_socket("bob", socket.info.id),
    "close_session": lambda chat, _: chat.close_session("bob", "s"),
}


def in_another_thread(backend: str, call: Callable[[], Awaitable[object]]) -> RuntimeError | TimeoutError | None:
    """Return what ``call`` raises in the event loop of a new thread, or TimeoutError if the call hangs."""
    raised: list[RuntimeError | TimeoutError] = []

    async def within() -> None:
        with anyio.fail_after(5):
            await call()

    def run() -> None:
        try:
            anyio.run(within, backend=backend)
        except (RuntimeError, TimeoutError) as error:
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_call_from_the_loop_of_another_thread_is_refused_and_changes_nothing(
    call: Callable[[Chat, Socket], Awaitable[object]], backend: str
) -> None:
    bob = EventRecorder()
    async with Chat(MemoryStore()) as chat, chat.connect(bob, user="bob", session="s") as socket:
        refused = in_another_thread(backend, lambda: call(chat, socket))
        assert isinstance(refused, RuntimeError)
        assert "asyncio.run_coroutine_threadsafe or anyio.from_thread.run" in str(refused)
        assert "use chatcore.Blocking" in str(refused)
        assert (await chat.execute("alice", History(peer="bob"))).head == 0
        with anyio.fail_after(5):
            assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1
            await socket.receive("message.send", MESSAGE, bob.answer)
            await bob.until(lambda _: "answer 2" in bob.events)
        assert [info.id for info in await chat.sockets("bob")] == [bob.id]
        assert bob.bye is None


async def test_feed_is_refused_in_the_loop_of_another_thread() -> None:
    async with Chat(MemoryStore()) as chat:
        feed = chat.feed()
        assert isinstance(in_another_thread("asyncio", lambda: anext(feed)), RuntimeError)
        assert isinstance(in_another_thread("asyncio", lambda: anext(chat.feed())), RuntimeError)


async def test_socket_created_in_one_loop_and_entered_in_another_is_refused() -> None:
    bob = Recorder()
    async with Chat(MemoryStore()) as chat:
        opened = chat.connect(bob, user="bob")
        assert isinstance(in_another_thread("asyncio", opened.__aenter__), RuntimeError)
        assert await chat.sockets("bob") == []
        assert bob.pushes == []


def test_call_from_a_later_loop_of_the_same_thread_is_refused() -> None:
    chat = Chat(MemoryStore())

    async def enter() -> None:
        await chat.__aenter__()

    async def use() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))

    asyncio.run(enter())
    asyncio.run(use())


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_call_by_run_coroutine_threadsafe_from_another_thread_succeeds(anyio_backend: Any) -> None:
    loop = asyncio.get_running_loop()
    async with Chat(MemoryStore()) as chat:

        def send() -> int:
            command = SendMessage(to="bob", body="hi", key="k")
            return asyncio.run_coroutine_threadsafe(chat.execute("alice", command), loop).result().seq

        assert await asyncio.to_thread(send) == 1
