"""Hints to and from other nodes. The caller never waits for the bus, and a bus that fails loses hints, not data."""

from collections import deque
from collections.abc import Sequence

import anyio

from ..domain.entries import Entry, Message
from ..domain.texts import text_bytes
from ..ports.bus import Bus, Hint, RoomHint

QUEUED_MAX = 10_000
SMALL = 1_024
"""Bytes that people wrote. All else in an entry is bounded by its fields, but for what it opens."""


class HintQueue:
    """What is still to be published, oldest first; beyond 10,000 the oldest are dropped, and the sweep finds them."""

    def __init__(self) -> None:
        self._hints: deque[Hint] = deque(maxlen=QUEUED_MAX)
        self._filled = anyio.Event()

    def put_entries(self, entries: Sequence[Entry]) -> None:
        """A room has got new entries here."""
        self.put([_hint(entry) for entry in entries])

    def put_one(self, hint: Hint) -> None:
        self.put([hint])

    def put(self, hints: Sequence[Hint]) -> None:
        self._hints.extend(hints)
        self._filled.set()

    async def publish(self, bus: Bus) -> None:
        """Hand the bus what has come. What it fails with is lost: other nodes hear with their next sweep."""
        await self._filled.wait()
        self._filled = anyio.Event()
        hints = list(self._hints)
        self._hints.clear()
        await bus.publish(hints)


def _hint(entry: Entry) -> RoomHint:
    return RoomHint(room=entry.room, seq=entry.seq, affects=entry.affects, entry=entry if _is_small(entry) else None)


def _is_small(entry: Entry) -> bool:
    mentions = entry.event.mentions if isinstance(entry.event, Message) else ()
    return entry.opens is None and text_bytes(entry) + sum(len(user.encode()) for user in mentions) <= SMALL
