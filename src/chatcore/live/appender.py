"""Appends the entries of all rooms to the store, together in each turn of the event loop."""

from collections.abc import Callable, Sequence
from typing import Protocol

from ..domain.entries import Entry
from ..errors import Unavailable
from ..ports.entry_log import AppendResult, EntryLog
from .background import Work
from .event_loop import TimeLimit, current_time

APPEND_S = 5
"""Seconds until an append is cancelled. A store that takes longer breaks its contract, which gives it 2 s."""


class Appending(Protocol):
    """A room that has entries to append."""

    def next_batch(self) -> Sequence[Entry]:
        """Return the room's next entries, in their order. Without any, the room waits for no append."""
        ...

    def appended(self, outcome: AppendResult | Exception, began: float) -> None:
        """Take the outcome of the append that ``began`` at this time of the event loop. Raises nothing."""


class Appender:
    """Appends the batches of rooms. A room has one append at a time.

    The rooms of one turn of the event loop share one call of the store, so that a commit costs each of them little.
    Calls do not wait for each other.
    """

    def __init__(self, log: EntryLog, start: Callable[[Work], None]) -> None:
        self._log = log
        self._start = start
        self._limit = TimeLimit(APPEND_S)
        self._rooms: list[Appending] = []

    def add(self, room: Appending) -> None:
        """Ask ``room`` for its batch in the next turn of the event loop, and append that."""
        self._rooms.append(room)
        if len(self._rooms) == 1:
            self._start(self._append)

    async def _append(self) -> None:
        rooms, self._rooms = self._rooms, []
        appends = [(room, batch) for room in rooms if (batch := room.next_batch())]
        if not appends:
            return
        began = current_time()
        outcomes: Sequence[AppendResult | Exception]
        try:
            outcomes = await self._limit.run(self._log.append_all([batch for _, batch in appends]))
        except TimeoutError:
            outcomes = [Unavailable()] * len(appends)
        except Exception as error:  # noqa: BLE001  # each room logs it
            outcomes = [error] * len(appends)
        for (room, _), outcome in zip(appends, outcomes, strict=True):
            room.appended(outcome, began)
