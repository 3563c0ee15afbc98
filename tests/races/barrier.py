"""Makes two appends to a room go to the store together: both have been decided on the same head."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio

from chatcore import Entry
from chatcore.ids import RoomId, Seq
from chatcore.ports.room_log import Appended
from chatcore.ports.store import Store

PATIENCE_S = 30
"""How long one waits for the other, who comes at once unless something is wrong."""

Append: TypeAlias = Callable[[Sequence[Entry]], Awaitable[Appended]]


class Barrier:
    """Stands before a store's `append`. Counts the appends that met and of which the second found the seq taken."""

    def __init__(self, store: Store) -> None:
        self._append: Append = store.append
        self._arrived: dict[tuple[RoomId, Seq], anyio.Event] = {}
        self._met: set[tuple[RoomId, Seq]] = set()
        self.conflicts = 0
        store.append = self.append  # type: ignore[method-assign]

    def expect(self, room: RoomId, seq: Seq) -> None:
        """The next two appends to ``room`` that begin at ``seq`` wait for each other; the later one is let in first."""
        self._arrived[room, seq] = anyio.Event()

    async def append(self, entries: Sequence[Entry]) -> Appended:
        place = entries[0].room, entries[0].seq
        if place in self._arrived:
            await self._meet(place)
        appended = await self._append(entries)
        if place in self._met and appended.written < len(entries):
            self.conflicts += 1
        return appended

    async def _meet(self, place: tuple[RoomId, Seq]) -> None:
        event = self._arrived[place]
        if event.statistics().tasks_waiting:
            del self._arrived[place]
            self._met.add(place)
            event.set()
            return
        with anyio.move_on_after(PATIENCE_S):
            await event.wait()
