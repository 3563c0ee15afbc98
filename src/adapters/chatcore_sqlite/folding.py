"""Bringing the views of a room over entries of its log. Everything here runs inside a write transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from chatcore.domain.decider import evolve
from chatcore.domain.entries import Deleted, Edited, Entry, Message, Reacted
from chatcore.domain.memberships import affected_users
from chatcore.domain.page_tokens import milliseconds
from chatcore.domain.state import Member, RoomState
from chatcore.ids import UserId

from . import statements
from .rows import RoomRow, Row, read_member


def fold(connection: sqlite3.Connection, room: RoomRow, entries: Sequence[Entry]) -> None:
    """Bring the views of ``room``, which are right up to its head, over the entries that follow."""
    _Fold(connection, room).take(entries)


@define
class _Fold:
    _connection: sqlite3.Connection
    _room: RoomRow
    _run: Row | None = field(init=False)
    _messages: list[Row] = field(factory=list, init=False)
    """Rows that are still to be written, all at once."""

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
        self._connection.execute(statements.CHANGE_ROOM, (after.kind, after.title, more, self._room.id))
        return after

    def _member(self, user: UserId) -> Member | None:
        row = self._connection.execute(statements.MEMBER, (self._room.id, user)).fetchone()
        return read_member(row) if row else None

    def _set_member(self, user: UserId, member: Member | None) -> None:
        if member is None:
            self._connection.execute(statements.DROP_MEMBER, (self._room.id, user))
        else:
            row = self._room.id, user, member.role, member.since, member.standing
            self._connection.execute(statements.SET_MEMBER, row)
