"""Two Chats on one store whose first appends to a room meet at a barrier: both have decided on head 0."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import anyio

from chatcore import Chat, Entry, History, SendMessage
from chatcore.ids import RoomId, private_room_id
from chatcore.ports.room_log import Appended
from chatcore.ports.store import Store
from chatcore_memory import MemoryBus

RACES = 1_000
CONFLICTS_MIN = 900
AT_ONCE = 50

Append: TypeAlias = Callable[[Sequence[Entry]], Awaitable[Appended]]


class Barrier:
    """Stands before a store's `append`: the first two appends to a room go on together. Counts the lost seqs."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._arrived: dict[RoomId, anyio.Event] = {}
        self.conflicts = 0

    async def append(self, entries: Sequence[Entry]) -> Appended:
        if entries[0].seq == 1:
            await self._meet(entries[0].room)
        appended = await self._append(entries)
        if appended.written < len(entries) and appended.taken is None:
            self.conflicts += 1
        return appended

    async def _meet(self, room: RoomId) -> None:
        if room in self._arrived:
            self._arrived[room].set()
            return
        self._arrived[room] = anyio.Event()
        await self._arrived[room].wait()


async def race_first_messages(store: Store) -> int:
    """1,000 pairs write to each other at the same instant, each side at another Chat; the number of conflicts.

    Asserts that each pair has one room with both messages, in seqs 1 and 2.
    """
    barrier = Barrier(store.append)
    store.append = barrier.append  # type: ignore[method-assign]
    bus = MemoryBus()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for number in range(RACES):
                tasks.start_soon(_race, limiter, here, there, f"anna-{number}", f"zoe-{number}")
    return barrier.conflicts


async def _race(limiter: anyio.CapacityLimiter, here: Chat, there: Chat, one: str, other: str) -> None:
    async with limiter:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(here.execute, one, SendMessage(to=other, body="hi", key="k")))
            tasks.start_soon(partial(there.execute, other, SendMessage(to=one, body="ho", key="k")))
        page = await here.execute(one, History(with_=other))
        assert page.room == private_room_id(one, other)
        assert [entry.seq for entry in page.entries] == [1, 2]
        assert {entry.author for entry in page.entries} == {one, other}
        assert [bool(entry.opens) for entry in page.entries] == [True, False]
