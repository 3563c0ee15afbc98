"""The buffer of a room's last entries."""

from collections import deque
from collections.abc import Sequence

from ..domain.entries import Deleted, Entry
from ..domain.redaction import holds_text_of, redacted
from ..ids import Seq

ENTRIES_MAX = 64
"""The most entries of a buffer."""


class EntryBuffer:
    """The last entries of a live room, up to 64, so that a subscription a little behind needs no read of the store."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)

    def append(self, entry: Entry) -> None:
        """Append the entry that follows the buffered ones. A deletion redacts the buffered entries of its target."""
        if isinstance(entry.event, Deleted):
            self._redact(entry.event.target)
        self._entries.append(entry)

    def between(self, after: Seq, upto: Seq) -> Sequence[Entry] | None:
        """Return the entries above ``after`` up to ``upto``; None if some of them are not buffered."""
        if not self._entries or self._entries[0].seq > after + 1:
            return None
        return [entry for entry in self._entries if after < entry.seq <= upto]

    def _redact(self, target: Seq) -> None:
        for index, entry in enumerate(self._entries):
            if holds_text_of(entry, target):
                self._entries[index] = redacted(entry)
