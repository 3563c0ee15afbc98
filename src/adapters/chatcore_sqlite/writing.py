"""Appending to a room's log, and moving markers. Everything here runs inside one write transaction."""

import sqlite3
from collections.abc import Sequence

from attrs import define

from chatcore.domain.entries import Deleted, Entry
from chatcore.domain.markers import starting_markers
from chatcore.domain.redaction import redacted
from chatcore.domain.state import Marker, MarkerUpdate, RoomView
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.entry_log import AppendResult

from . import statements
from .folding import fold
from .reading import Snapshot
from .rows import RoomRow, Row, entry_row, event_text, read_entry


@define
class Append:
    """The append of entries to one room, ready to be run: their rows are made before the transaction begins."""

    entries: Sequence[Entry]
    rows: Sequence[Row]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Append":
        return cls(entries, [entry_row(entry) for entry in entries])

    def erases(self) -> bool:
        """Whether a text is to be gone afterwards."""
        return any(isinstance(entry.event, Deleted) for entry in self.entries)

    def __call__(self, connection: sqlite3.Connection) -> AppendResult:
        first = self.entries[0]
        row = connection.execute(statements.ROOM_NAMED, (first.room,)).fetchone()
        if first.seq != (row[4] if row else 0) + 1:
            return AppendResult(written=0)
        room = RoomRow(*row) if row else _bear(connection, first)
        appended = self._write(connection, room)
        written = self.entries[: appended.written]
        if written:
            fold(connection, room, written)
        for entry in written:
            for user, marker in starting_markers(entry).items():
                _set_marker(connection, room, user, marker)
            if isinstance(entry.event, Deleted):
                _redact(connection, room, entry.event.target)
        return appended

    def _write(self, connection: sqlite3.Connection, room: RoomRow) -> AppendResult:
        try:
            connection.executemany(statements.WRITE_ENTRY, [(room.id, *row) for row in self.rows])
        except sqlite3.IntegrityError:
            return self._written(connection, room)
        return AppendResult(written=len(self.rows))

    def _written(self, connection: sqlite3.Connection, room: RoomRow) -> AppendResult:
        """What became of rows of which one met its key in the log: those before it are written."""
        found: tuple[Seq] | None = connection.execute(statements.HEAD_WRITTEN, (room.id,)).fetchone()
        written = (found[0] if found else 0) + 1 - self.entries[0].seq
        refused = self.entries[written]
        taken = connection.execute(statements.ENTRY_OF_KEY, (room.id, refused.author, refused.key)).fetchone()
        return AppendResult(written=written, taken=read_entry(refused.room, taken))


def _bear(connection: sqlite3.Connection, first: Entry) -> RoomRow:
    if first.opens is None:
        raise ValueError("the first entry of a log says what it opens")
    connection.execute(statements.BEAR_ROOM, (first.room, first.opens.kind))
    return RoomRow(*connection.execute(statements.ROOM_NAMED, (first.room,)).fetchone())


def _redact(connection: sqlite3.Connection, room: RoomRow, target: Seq) -> None:
    """Take the text from a message and from its edits."""
    for statement in (statements.ENTRY_AT, statements.EDITS_OF):
        for row in connection.execute(statement, (room.id, target)).fetchall():
            entry = redacted(read_entry(room.room, row))
            connection.execute(statements.REWRITE_ENTRY, (entry.digest, event_text(entry), room.id, entry.seq))


def mark(connection: sqlite3.Connection, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
    """As `Markers.mark` says."""
    snapshot = Snapshot(connection)
    found, view = snapshot.room(room), snapshot.views(room, [user]).get(user)
    if found and view and view.marker and change.fits(view.head):
        marker = change.applied(view.marker)
        if marker != view.marker:
            _set_marker(connection, found, user, marker)
            return snapshot.views(room, [user])[user]
    return view


def probe(connection: sqlite3.Connection) -> None:
    """Write and delete a row that is larger than any entry.

    It takes the lock, new pages, their space in the write-ahead log and the sync of any other write. The pages stay in
    the database, free: the next entries or the next probe use them, so that it does not grow with every probe.
    """
    connection.execute(statements.TAKE_SPACE)
    connection.execute(statements.FREE_SPACE)


def _set_marker(connection: sqlite3.Connection, room: RoomRow, user: UserId, marker: Marker) -> None:
    row = room.id, user, marker.read, marker.delivered, marker.unread_from, marker.muted
    connection.execute(statements.SET_MARKER, row)
