"""Writes of logs, their views, and markers. Everything here runs inside one write transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from chatcore.domain.decider import evolve
from chatcore.domain.entries import Deleted, Edited, Entry, Message, Reacted
from chatcore.domain.markers import starting_markers
from chatcore.domain.memberships import affected_users
from chatcore.domain.names import title_form
from chatcore.domain.redaction import redacted
from chatcore.domain.serialization import event_json, milliseconds
from chatcore.domain.state import Marker, MarkerUpdate, Membership, RoomState, RoomView
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.entry_log import AppendResult

from . import statements
from .queries import Snapshot
from .rows import RoomRow, Row, entry_row, read_entry, read_member


@define
class Append:
    """An append of entries to one room."""

    entries: Sequence[Entry]

    def __call__(self, connection: sqlite3.Connection) -> AppendResult:
        first = self.entries[0]
        row = connection.execute(statements.ROOM_NAMED, (first.room,)).fetchone()
        if first.seq != (row[4] if row else 0) + 1:
            return AppendResult(written=0)
        room = RoomRow(*row) if row else _create_room(connection, first)
        appended = self._write(connection, room)
        written = self.entries[: appended.written]
        if written:
            update_views(connection, room, written)
        for entry in written:
            for user, marker in starting_markers(entry).items():
                _set_marker(connection, room, user, marker)
            if isinstance(entry.event, Deleted):
                _redact(connection, room, entry.event.target)
        return appended

    def _write(self, connection: sqlite3.Connection, room: RoomRow) -> AppendResult:
        try:
            connection.executemany(statements.WRITE_ENTRY, [(room.id, *entry_row(entry)) for entry in self.entries])
        except sqlite3.IntegrityError:
            return self._written(connection, room)
        return AppendResult(written=len(self.entries))

    def _written(self, connection: sqlite3.Connection, room: RoomRow) -> AppendResult:
        """Return the result when the log already has the key of a row. The rows before that row are written."""
        head: tuple[Seq] | None = connection.execute(statements.HEAD_WRITTEN, (room.id,)).fetchone()
        written = (head[0] if head else 0) + 1 - self.entries[0].seq
        refused = self.entries[written]
        taken = connection.execute(statements.ENTRY_OF_KEY, (room.id, refused.author, refused.key)).fetchone()
        return AppendResult(written=written, taken=read_entry(refused.room, taken))


def _create_room(connection: sqlite3.Connection, first: Entry) -> RoomRow:
    if first.opens is None:
        raise ValueError("the first entry of a log says what it opens")
    connection.execute(statements.CREATE_ROOM, (first.room, first.opens.kind))
    return RoomRow(*connection.execute(statements.ROOM_NAMED, (first.room,)).fetchone())


def _redact(connection: sqlite3.Connection, room: RoomRow, target: Seq) -> None:
    """Redact a message and its edits."""
    for statement in (statements.ENTRY_AT, statements.EDITS_OF):
        for row in connection.execute(statement, (room.id, target)).fetchall():
            entry = redacted(read_entry(room.room, row))
            connection.execute(statements.REWRITE_ENTRY, (entry.digest, event_json(entry.event), room.id, entry.seq))


def mark(connection: sqlite3.Connection, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
    """Apply a change to a marker and return the room's view, as `Markers.mark` says."""
    snapshot = Snapshot(connection)
    row, view = snapshot.room(room), snapshot.views(room, [user]).get(user)
    if row and view and view.marker and change.fits(view.head):
        marker = change.applied(view.marker)
        if marker != view.marker:
            _set_marker(connection, row, user, marker)
            return snapshot.views(room, [user])[user]
    return view


def probe(connection: sqlite3.Connection) -> None:
    """Write and delete a row that is larger than any entry.

    Like any other write it takes the lock, new pages, their space in the write-ahead log, and a sync. The pages stay in
    the database as free pages. The next entries or the next probe use them, so probes do not make the file grow.
    """
    connection.execute(statements.TAKE_SPACE)
    connection.execute(statements.FREE_SPACE)


def _set_marker(connection: sqlite3.Connection, room: RoomRow, user: UserId, marker: Marker) -> None:
    row = room.id, user, marker.read, marker.delivered, marker.unread_from, marker.muted
    connection.execute(statements.SET_MARKER, row)


def update_views(connection: sqlite3.Connection, room: RoomRow, entries: Sequence[Entry]) -> None:
    """Apply the entries after the head of ``room`` to its views."""
    _ViewUpdate(connection, room).take(entries)


@define
class _ViewUpdate:
    _connection: sqlite3.Connection
    _room: RoomRow
    _run: Row | None = field(init=False)
    _messages: list[Row] = field(factory=list, init=False)
    """Rows that are not written yet."""

    def __attrs_post_init__(self) -> None:
        self._run = self._connection.execute(statements.LAST_RUN, (self._room.id,)).fetchone()

    def take(self, entries: Sequence[Entry]) -> None:
        state = RoomState(room=self._room.room, kind=self._room.kind, title=self._room.title)
        for entry in entries:
            if entry.opens or not isinstance(entry.event, Message | Edited | Deleted | Reacted):
                state = self._change_room(state, entry)
            self._take(entry)
        self._flush()
        last = entries[-1]
        self._connection.execute(statements.MOVE_HEAD, (last.seq, milliseconds(last.at), self._room.id))

    def _take(self, entry: Entry) -> None:
        match entry.event:
            case Message(deleted=False):
                self._add_message(entry)
            case Edited(target=target):
                self._connection.execute(statements.SET_EDIT, (self._room.id, target, entry.seq))
            case Reacted():
                self._react(entry, entry.event)
            case Deleted(target=target):
                self._flush()
                self._connection.execute(statements.DROP_MESSAGE, {"room": self._room.id, "seq": target})
                self._connection.execute(statements.DROP_REACTORS_OF, (self._room.id, target))
                self._connection.execute(statements.DROP_REACTIONS_OF, (self._room.id, target))
                self._run = self._connection.execute(statements.LAST_RUN, (self._room.id,)).fetchone()
            case _:
                pass

    def _add_message(self, entry: Entry) -> None:
        if self._run is None or self._run[1] != entry.author:
            self._run = entry.seq, entry.author
        self._messages.append((self._room.id, self._run[0], entry.seq, entry.author))

    def _flush(self) -> None:
        if self._messages:
            self._connection.executemany(statements.ADD_MESSAGE, self._messages)
            self._messages.clear()

    def _react(self, entry: Entry, event: Reacted) -> None:
        names: Mapping[str, Any] = {
            "room": self._room.id,
            "target": event.target,
            "emoji": event.emoji,
            "user": entry.author,
            "seq": entry.seq,
        }
        changed = self._connection.execute(statements.ADD_REACTOR if event.on else statements.DROP_REACTOR, names)
        if not changed.rowcount:
            return
        if event.on:
            self._connection.execute(statements.ADD_REACTION, names)
        self._connection.execute(statements.COUNT_REACTION, {**names, "more": 1 if event.on else -1})
        if not event.on:
            self._connection.execute(statements.DROP_REACTION, names)

    def _change_room(self, before: RoomState, entry: Entry) -> RoomState:
        """Apply `evolve` to a state that holds only the memberships which the entry may change."""
        users = affected_users(entry)
        members = {user: member for user in users if (member := self._member(user))}
        before = RoomState(room=before.room, head=entry.seq - 1, kind=before.kind, title=before.title, members=members)
        after = evolve(before, entry)
        for user in users:
            self._set_member(user, after.members.get(user))
        more = after.count() - before.count()
        form = title_form(after.title or "") if after.kind == "public" else None
        changes = {"id": self._room.id, "kind": after.kind, "title": after.title, "form": form, "more": more}
        self._connection.execute(statements.CHANGE_ROOM, changes)
        return after

    def _member(self, user: UserId) -> Membership | None:
        row = self._connection.execute(statements.MEMBER, (self._room.id, user)).fetchone()
        return read_member(row) if row else None

    def _set_member(self, user: UserId, member: Membership | None) -> None:
        if member is None:
            self._connection.execute(statements.DROP_MEMBER, (self._room.id, user))
        else:
            row = self._room.id, user, member.role, member.since, member.state
            self._connection.execute(statements.SET_MEMBER, row)
