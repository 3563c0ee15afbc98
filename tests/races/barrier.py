"""Sends two appends to a room to the store together, so that both were decided on the same head."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias

import anyio
from attrs import define, field

from chatcore import Entry
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import AppendResult, EntryLog
from chatcore.ports.store import Store

TIMEOUT_S = 30
"""Seconds that an append waits for the other append, which comes at once unless there is a bug."""

Append: TypeAlias = Callable[[Sequence[Entry]], Awaitable[AppendResult]]
AppendAll: TypeAlias = Callable[[Sequence[Sequence[Entry]]], Awaitable[Sequence[AppendResult | Exception]]]
Arrival: TypeAlias = Literal["earlier", "later"]


@define(eq=False)
class _Meeting:
    """The meeting of two appends at one seq. ``first`` is let in alone, the other append once the first has ended."""

    first: Arrival | None
    arrived: int = 0
    both: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)

    async def meet(self) -> None:
        self.arrived += 1
        arrival: Arrival = "earlier" if self.arrived == 1 else "later"
        with anyio.move_on_after(TIMEOUT_S):
            if arrival == "later":
                self.both.set()
            await self.both.wait()
            if self.first not in (None, arrival):
                await self.ended.wait()


class Barrier:
    """Wraps the `append` of stores of one database.

    Counts the meetings after which the second append finds the seq taken.
    """

    def __init__(self, *stores: Store) -> None:
        self._meetings: dict[tuple[RoomId, Seq], _Meeting] = {}
        self.conflicts = 0
        for store in stores:
            append = partial(_append_alone, store.append_all)
            store.append = partial(self._append, append)  # type: ignore[method-assign]
            store.append_all = partial(EntryLog.append_all, store)  # type: ignore[method-assign]

    def expect(self, room: RoomId, seq: Seq, first: Arrival | None = None) -> None:
        """Let the next two appends to ``room`` that begin at ``seq`` wait for each other.

        Then the later append is let in just before the earlier one. With ``first``, that append is let in first and
        ends before the other begins: otherwise a store that is slower for one of them would always give the seq to
        the other.
        """
        self._meetings[room, seq] = _Meeting(first)

    async def _append(self, append: Append, entries: Sequence[Entry]) -> AppendResult:
        meeting = self._meetings.get((entries[0].room, entries[0].seq))
        if meeting is None or meeting.arrived == 2:
            return await append(entries)
        await meeting.meet()
        try:
            appended = await append(entries)
        finally:
            meeting.ended.set()
        if meeting.arrived == 2 and appended.written < len(entries):
            self.conflicts += 1
        return appended


async def _append_alone(append_all: AppendAll, entries: Sequence[Entry]) -> AppendResult:
    (outcome,) = await append_all([entries])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
