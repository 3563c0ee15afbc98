"""The queue of hints to other nodes. No caller waits for the bus, and a bus that fails loses hints, not data."""

from collections import deque
from collections.abc import Sequence

import anyio

from ..domain.entries import Entry, Message
from ..domain.serialization import text_bytes
from ..ports.bus import Bus, Hint, RoomHint

QUEUED_MAX = 10_000
SMALL_ENTRY_BYTES = 1_024
"""The most bytes of text of an entry that is part of its hint. Its other fields are bounded, except ``opens``."""


class HintQueue:
    """Hints to publish, oldest first. Above 10,000 the oldest are dropped: the change poller finds their entries."""

    def __init__(self) -> None:
        self._hints: deque[Hint] = deque(maxlen=QUEUED_MAX)
        self._filled = anyio.Event()

    def put_entries(self, entries: Sequence[Entry]) -> None:
        """Queue the hints of entries that this node wrote."""
        self.put([_hint(entry) for entry in entries])

    def put_one(self, hint: Hint) -> None:
        """Queue a hint."""
        self.put([hint])

    def put(self, hints: Sequence[Hint]) -> None:
        """Queue hints."""
        self._hints.extend(hints)
        self._filled.set()

    async def publish(self, bus: Bus) -> None:
        """Wait for hints, and publish all that are queued. They are lost if the bus fails; other nodes poll."""
        await self._filled.wait()
        self._filled = anyio.Event()
        hints = list(self._hints)
        self._hints.clear()
        await bus.publish(hints)


def _hint(entry: Entry) -> RoomHint:
    return RoomHint(room=entry.room, seq=entry.seq, affects=entry.affects, entry=entry if _is_small(entry) else None)


def _is_small(entry: Entry) -> bool:
    mentions = entry.event.mentions if isinstance(entry.event, Message) else ()
    return entry.opens is None and text_bytes(entry) + sum(len(user.encode()) for user in mentions) <= SMALL_ENTRY_BYTES
