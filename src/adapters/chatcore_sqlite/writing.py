"""Appending to a room's log, and keeping its views with it. Everything here runs inside one write transaction."""

import sqlite3
from collections.abc import Sequence

from attrs import define

from chatcore.domain.entries import Entry, Message
from chatcore.domain.markers import starting_markers
from chatcore.domain.rooms import evolve
from chatcore.domain.state import Member, RoomState
from chatcore.ids import Seq, UserId
from chatcore.ports.room_log import Appended

from . import statements
from .rows import RoomRow, Row, entry_row, read_entry, read_member


@define
class Append:
    """The append of entries to one room, ready to be run: their rows are made before the transaction begins."""

    entries: Sequence[Entry]
    rows: Sequence[Row]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Append":
        return cls(entries, [entry_row(entry) for entry in entries])

    def __call__(self, connection: sqlite3.Connection) -> Appended:
        first = self.entries[0]
        found: tuple[int, Seq] | None = connection.execute(statements.HEAD, (first.room,)).fetchone()
        id_, head = found or (0, 0)
        if first.seq != head + 1:
            return Appended(written=0)
        if not found:
            id_ = _bear(connection, first)
        appended = self._write(connection, id_)
        for entry in self.entries[: appended.written]:
            if entry.affects or not isinstance(entry.event, Message):
                _fold(connection, id_, entry)
        return appended

    def _write(self, connection: sqlite3.Connection, id_: int) -> Appended:
        try:
            connection.executemany(statements.WRITE_ENTRY, [(id_, *row) for row in self.rows])
        except sqlite3.IntegrityError:
            return self._written(connection, id_)
        last = self.rows[-1]
        connection.execute(statements.MOVE_HEAD, (last[0], last[3], id_))
        return Appended(written=len(self.rows))

    def _written(self, connection: sqlite3.Connection, id_: int) -> Appended:
        """What became of rows of which one met its key in the log: those before it are written."""
        found: tuple[Seq, int] | None = connection.execute(statements.HEAD_WRITTEN, (id_,)).fetchone()
        head, at = found or (0, 0)
        written = head + 1 - self.entries[0].seq
        refused = self.entries[written]
        taken = connection.execute(statements.ENTRY_OF_KEY, (id_, refused.author, refused.key)).fetchone()
        connection.execute(statements.MOVE_HEAD, (head, at, id_))
        return Appended(written=written, taken=read_entry(refused.room, taken))


def _bear(connection: sqlite3.Connection, first: Entry) -> int:
    if first.opens is None:
        raise ValueError("the first entry of a log says what it opens")
    id_ = connection.execute(statements.BEAR_ROOM, (first.room, first.opens.kind, first.opens.title)).lastrowid
    assert id_ is not None
    return id_


def _fold(connection: sqlite3.Connection, id_: int, entry: Entry) -> None:
    """Bring the views over ``entry``: `evolve` on a state that holds only the members whom it affects."""
    row = RoomRow(*connection.execute(statements.ROOM_BY_ID, (id_,)).fetchone())
    members = {user: member for user in entry.affects if (member := _member(connection, id_, user))}
    kind = None if entry.opens else row.kind
    before = RoomState(room=entry.room, head=entry.seq - 1, kind=kind, title=row.title, members=members)
    after = evolve(before, entry)
    for user in entry.affects:
        _set_member(connection, id_, user, after.members.get(user))
    for user, marker in starting_markers(entry).items():
        connection.execute(statements.SET_MARKER, (id_, user, marker.read, marker.delivered))
    more = _count(after) - _count(before)
    connection.execute(statements.CHANGE_ROOM, (after.kind, after.title, more, id_))


def _member(connection: sqlite3.Connection, id_: int, user: UserId) -> Member | None:
    row = connection.execute(statements.MEMBER, (id_, user)).fetchone()
    return read_member(row) if row else None


def _set_member(connection: sqlite3.Connection, id_: int, user: UserId, member: Member | None) -> None:
    if member is None:
        connection.execute(statements.DROP_MEMBER, (id_, user))
    else:
        connection.execute(statements.SET_MEMBER, (id_, user, member.role, member.since, member.standing))


def _count(state: RoomState) -> int:
    return sum(member.standing == "member" for member in state.members.values())
