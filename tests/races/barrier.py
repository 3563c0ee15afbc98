"""Makes two appends to a room go to the store together: both have been decided on the same head."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias

import anyio
from attrs import define, field

from chatcore import Entry
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import AppendResult
from chatcore.ports.store import Store

TIMEOUT_S = 30
"""How long one waits for the other, who comes at once unless something is wrong."""

Append: TypeAlias = Callable[[Sequence[Entry]], Awaitable[AppendResult]]
Comer: TypeAlias = Literal["earlier", "later"]


@define(eq=False)
class _Meeting:
    """Of two appends at one place. ``first`` is let in alone, and the other one once that has ended."""

    first: Comer | None
    come: int = 0
    both: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)

    async def meet(self) -> None:
        self.come += 1
        comer: Comer = "earlier" if self.come == 1 else "later"
        with anyio.move_on_after(TIMEOUT_S):
            if comer == "later":
                self.both.set()
            await self.both.wait()
            if self.first not in (None, comer):
                await self.ended.wait()


class Barrier:
    """Stands before the `append` of stores of one database.

    Counts the appends that met and of which the second found the seq taken.
    """

    def __init__(self, *stores: Store) -> None:
        self._meetings: dict[tuple[RoomId, Seq], _Meeting] = {}
        self.conflicts = 0
        for store in stores:
            store.append = partial(self._append, store.append)  # type: ignore[method-assign]

    def expect(self, room: RoomId, seq: Seq, first: Comer | None = None) -> None:
        """The next two appends to ``room`` that begin at ``seq`` wait for each other.

        Then the later one is let in just before the other. ``first`` says who is let in first and ends before the
        other begins: a store that takes longer over one of them would else always give the seq to the other.
        """
        self._meetings[room, seq] = _Meeting(first)

    async def _append(self, append: Append, entries: Sequence[Entry]) -> AppendResult:
        meeting = self._meetings.get((entries[0].room, entries[0].seq))
        if meeting is None or meeting.come == 2:
            return await append(entries)
        await meeting.meet()
        try:
            appended = await append(entries)
        finally:
            meeting.ended.set()
        if meeting.come == 2 and appended.written < len(entries):
            self.conflicts += 1
        return appended
