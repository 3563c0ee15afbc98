"""A Chat that runs in a thread of its own serves callers that do not await."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest

from chatcore import Blocking, Chat, History, NotFound, SendMessage
from chatcore.domain.entries import Message
from chatcore_memory import MemoryStore

THREADS, MESSAGES = 8, 25


@pytest.fixture
def chat() -> Iterator[Blocking]:
    with Blocking(Chat(MemoryStore())) as blocking:
        yield blocking


def test_messages_of_many_threads_are_stored_once_in_the_order_of_each_thread(chat: Blocking) -> None:
    def send_all(thread: int) -> None:
        for number in range(MESSAGES):
            for _ in range(2):
                chat.execute("shop", SendMessage(to="bob", body=f"{thread} {number}", key=f"{thread} {number}"))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(send_all, range(THREADS)))
    page = chat.execute("bob", History(peer="shop", before=200))
    bodies = [entry.event.body for entry in page.entries if isinstance(entry.event, Message)]
    assert len(bodies) == THREADS * MESSAGES
    for thread in range(THREADS):
        assert [body for body in bodies if body.startswith(f"{thread} ")] == [
            f"{thread} {number}" for number in range(MESSAGES)
        ]


def test_errors_of_the_chat_are_raised_in_the_caller(chat: Blocking) -> None:
    with pytest.raises(NotFound):
        chat.execute("shop", History(room="room-none"))
    with pytest.raises(NotFound):
        chat.close_socket("bob", "none")
    assert chat.sockets("bob") == []
    chat.close_session("bob", "none")


def test_calls_outside_of_the_block_are_refused() -> None:
    blocking = Blocking(Chat(MemoryStore()))
    with pytest.raises(RuntimeError, match="enter Blocking first"):
        blocking.sockets("bob")
    with blocking:
        assert blocking.sockets("bob") == []
    with pytest.raises(RuntimeError, match="enter Blocking first"):
        blocking.sockets("bob")


def test_thread_ends_with_the_block_or_a_failed_enter() -> None:
    class ClosedStore(MemoryStore):
        async def __aenter__(self) -> Self:
            raise OSError("closed")

    before = threading.active_count()
    with Blocking(Chat(MemoryStore())):
        assert threading.active_count() > before
    assert threading.active_count() == before
    with pytest.raises(OSError, match="closed"), Blocking(Chat(ClosedStore())):
        pass
    assert threading.active_count() == before


def test_call_in_a_forked_process_is_refused_and_does_not_hang(chat: Blocking, monkeypatch: pytest.MonkeyPatch) -> None:
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    with pytest.raises(RuntimeError, match="enter it after the fork"):
        chat.sockets("bob")
