"""Sockets that open at the same time, as after a restart, read their rooms in turn."""

import anyio
import pytest

from chatcore import Chat, Unavailable, sockets
from chatcore.ids import UserId
from chatcore.ports.room_views import Overview
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

CONNECTS = 3 * sockets.GREETINGS_MAX


class SlowStore(MemoryStore):
    """A memory store that answers `overview` once ``answers`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = anyio.Event()
        self.reads = 0
        self.most_reads = 0

    async def overview(self, user: UserId, limit: int) -> Overview:
        self.reads += 1
        self.most_reads = max(self.most_reads, self.reads)
        try:
            await self.answers.wait()
            return await super().overview(user, limit)
        finally:
            self.reads -= 1


async def test_connects_at_once_read_their_rooms_in_turn() -> None:
    store, ready = SlowStore(), 0
    async with Chat(store) as chat:

        async def connect(number: int) -> None:
            nonlocal ready
            recorder = Recorder()
            async with chat.connect(recorder, user=f"user-{number}"):
                ready += recorder.ready is not None

        async with anyio.create_task_group() as tasks:
            for number in range(CONNECTS):
                tasks.start_soon(connect, number)
            await anyio.wait_all_tasks_blocked()
            assert store.reads == sockets.GREETINGS_MAX
            store.answers.set()
    assert (ready, store.most_reads) == (CONNECTS, sockets.GREETINGS_MAX)


async def test_connect_without_turn_in_time_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SlowStore()

    async def connect(chat: Chat, number: int) -> None:
        async with chat.connect(Recorder(), user=f"user-{number}"):
            pass

    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        for number in range(sockets.GREETINGS_MAX):
            tasks.start_soon(connect, chat, number)
        await anyio.wait_all_tasks_blocked()
        monkeypatch.setattr(sockets, "TURN_S", 0.01)
        with pytest.raises(Unavailable):
            await connect(chat, sockets.GREETINGS_MAX)
        store.answers.set()
    assert store.most_reads == sockets.GREETINGS_MAX
