"""Queries of rooms, their logs and views. Each runs on one snapshot."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from attrs import evolve

from chatcore.domain import message_projection
from chatcore.domain.blocks import BlockedPair, private_room_pairs
from chatcore.domain.entries import Entry, Message, Reaction
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.names import end_of_prefix
from chatcore.domain.page_tokens import PageToken, TitlePlace
from chatcore.domain.permissions import sees_banned
from chatcore.domain.serialization import from_milliseconds, text_bytes
from chatcore.domain.state import UNREAD_MAX, Marker, Membership, RoomState, RoomView
from chatcore.errors import FeedReset
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.blocks import BlockPosition, NewBlocks
from chatcore.ports.entry_feed import FeedPage, FeedStart
from chatcore.ports.entry_log import Changes, FeedPosition, LogSlice
from chatcore.ports.room_views import (
    Anchor,
    FirstUnread,
    Overview,
    RoomCatchUp,
    RoomMembers,
    RoomMembership,
    RoomPage,
    UnreadTotal,
    Window,
)

from . import statements
from .rows import (
    PLACE,
    ROOM_COLUMNS,
    TITLE_PLACE,
    UNREAD,
    RoomRow,
    Row,
    ViewRow,
    decode,
    read_change,
    read_edit,
    read_entry,
    read_marker,
    read_member,
    read_view,
)

SEQ_MAX = 2**63 - 1
READ_TOGETHER = 128
"""Rows of one read in the search for unread messages."""

TOP = PageToken(2**63 - 1, 0)
"""The place above all rooms in a list."""

_ENTRIES = (statements.ENTRIES_BELOW, statements.ENTRIES_ABOVE)
_MESSAGES = (statements.MESSAGES_BELOW, statements.MESSAGES_ABOVE)


class Snapshot:
    """The database as of one moment. The methods are the queries of the ports."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def epoch(self) -> str:
        epoch: str = self._one(statements.EPOCH)[0]
        return epoch

    def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        row = self.room(room)
        if row is None:
            return LogSlice(head=0, entries=[], by_key={})
        entries = self._entries(row, statements.ENTRIES_ABOVE, after, limit)
        holders = [entry for key in keys for entry in self._entries(row, statements.ENTRY_OF_KEY, *key)]
        return LogSlice(head=row.head, entries=entries, by_key={(entry.author, entry.key): entry for entry in holders})

    def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        row = self.room(room)
        if row is None:
            return Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)
        below, above = _MESSAGES if messages_only else _ENTRIES
        place = self._place(row, anchor)
        behind = self._entries(row, below, place, before + 1)
        ahead = self._entries(row, above, place, after + 1)
        there = self._entries(row, statements.ENTRY_AT, place)
        if messages_only:
            there = [entry for entry in there if isinstance(entry.event, Message)]
        return Window(
            head=row.head,
            kind=row.kind,
            member=self._member(row, user),
            entries=self._present(row, user, [*reversed(behind[:before]), *there, *ahead[:after]]),
            has_before=len(behind) > before,
            has_after=len(ahead) > after,
        )

    def _place(self, room: RoomRow, anchor: Anchor) -> Seq:
        newest = room.head + 1
        match anchor:
            case "newest":
                return newest
            case "oldest":
                return 0
            case FirstUnread():
                return next(_unread(self._connection, room, anchor), newest)
            case seq:
                return min(seq, newest)

    def state(self, room: RoomId) -> RoomState:
        row, blocked = self.room(room), frozenset(other for _, other in self.blocks_among(private_room_pairs(room)))
        if row is None:
            return RoomState(room=room, blocked=blocked)
        members = {user: read_member(tuple(member)) for user, *member in self._all(statements.MEMBERS, row.id)}
        return RoomState(room=room, head=row.head, kind=row.kind, title=row.title, members=members, blocked=blocked)

    def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        row = self.room(room)
        if row is None:
            return RoomMembers(kind=None, member=None, users=[], has_after=False)
        member = self._member(row, user)
        statement = statements.EVERYONE_ABOVE if sees_banned(member) else statements.MEMBERS_ABOVE
        rows = self._all(statement, row.id, after or "", limit + 1)
        users = [(other, read_member(tuple(other_row))) for other, *other_row in rows[:limit]]
        return RoomMembers(kind=row.kind, member=member, users=users, has_after=len(rows) > limit)

    def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        rows = self._all(statements.MEMBERSHIPS, user) if room is None else self._all(statements.MEMBERSHIP, user, room)
        return [RoomMembership(room=name, head=head, member=read_member(tuple(row))) for name, head, *row in rows]

    def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        rows = self._view_rows(statements.VIEWS_OF, rooms=json.dumps(list(cursors)), user=user)
        found = {view.room: (view, row) for view, row in zip(self._views(rows, user), rows, strict=True)}
        caught_up: dict[RoomId, RoomCatchUp] = {}
        left = size
        for name, after in cursors.items():
            if name not in found:
                continue
            view, row = found[name]
            if view.member and view.member.state == "member":
                entries = None if left < 0 else self._all_above(RoomRow(*row[:ROOM_COLUMNS]), view, user, after, limit)
                left -= sum(map(text_bytes, entries or ()))
                caught_up[name] = RoomCatchUp(view=view, entries=entries)
        return caught_up

    def _all_above(self, room: RoomRow, view: RoomView, user: UserId, after: Seq, limit: int) -> Sequence[Entry] | None:
        missing = view.head - after
        if missing > limit:
            return None
        if missing <= 1:  # the last entry is in its present state: what changes a message is above it
            return [view.last] if missing == 1 else []
        return self._present(room, user, self._entries(room, statements.ENTRIES_ABOVE, after, limit))

    def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        rows = self._all(statements.NEWEST_CHANGE) if after is None else self._all(statements.CHANGES, after, limit)
        return Changes(changes=[read_change(row) for row in rows], more=after is not None and len(rows) == limit)

    def feed(self, after: FeedStart, limit: int) -> FeedPage:
        newest: int = self._one(statements.NEWEST_POSITION)[0]
        if after == "now":
            return FeedPage(entries=[], position=newest, more=False)
        if after > newest:
            raise FeedReset
        rows = self._all(statements.FEED, after, limit)
        entries = [read_entry(room, tuple(row)) for _, room, *row in rows]
        position = rows[-1][0] if rows else after
        return FeedPage(entries=entries, position=position, more=position < newest)

    def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        place = TOP if after is None else PageToken.decoded(after)
        rows = self._view_rows(statements.PAGE, user=user, at=place.at_ms, id=place.number, limit=limit + 1)
        rows.sort(key=PLACE, reverse=True)
        return RoomPage(
            rooms=self._views(rows[:limit], user),
            next=RoomRow(*rows[limit - 1][:ROOM_COLUMNS]).place.encoded() if len(rows) > limit else None,
        )

    def overview(self, user: UserId, limit: int) -> Overview:
        page = self.page(user, None, limit)
        return Overview(memberships=self.memberships(user) if page.next else (), page=page)

    def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        start, end = TitlePlace.start(prefix, after), end_of_prefix(prefix) or statements.ABOVE_TEXT
        place = {"form": start.form, "room": start.room, "end": end}
        rows = self._view_rows(statements.PUBLIC_ROOMS, user=user, limit=limit + 1, **place)
        rows.sort(key=TITLE_PLACE)
        rooms = self._views([row[:-1] for row in rows[:limit]], user)
        if len(rows) > limit:
            return RoomPage(rooms=rooms, next=TitlePlace(*TITLE_PLACE(rows[limit - 1])).encoded())
        last = self._all_named(statements.LAST_LOOKED_AT, **place)
        return RoomPage(rooms=rooms, next=TitlePlace(*last[0][1:]).encoded() if last else None)

    def unread_total(self, user: UserId) -> UnreadTotal:
        counts: list[int] = []
        for row in self._all_named(statements.UNREAD_ROOMS, user=user):
            *room, read, delivered, unread_from, muted, unread = row
            marker = read_marker((read, delivered, unread_from, muted))
            counts.append(self._unread(RoomRow(*room), user, marker) if unread is None else unread)
        return UnreadTotal(rooms=sum(count > 0 for count in counts), messages=sum(counts))

    def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return frozenset(other for other in others if self._one(statements.ACQUAINTED, user, other))

    def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return frozenset(other for other in others if self._one(statements.FELLOW, user, other))

    def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        found = {user: self._one(statements.LAST_SEEN, user) for user in users}
        return {user: from_milliseconds(row[0]) for user, row in found.items() if row}

    def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        return {
            user: view
            for user in users
            for view in self._views(self._view_rows(statements.VIEWS_OF, rooms=json.dumps([room]), user=user), user)
        }

    def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        row = self.room(room)
        if row is None:
            return {}
        return {user: marker for user in users if (marker := self._marker(row, user))}

    def blocks(self, user: UserId) -> Sequence[UserId]:
        return [blocked for (blocked,) in self._all(statements.BLOCKS_OF, user)]

    def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        return frozenset(pair for pair in pairs if self._one(statements.BLOCK, *pair))

    def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        if after is None:
            return NewBlocks(pairs=[], position=self._one(statements.NEWEST_BLOCK)[0])
        rows = self._all(statements.NEW_BLOCKS, after)
        return NewBlocks(pairs=[(user, blocked) for _, user, blocked in rows], position=rows[-1][0] if rows else after)

    def _view_rows(self, statement: str, **values: object) -> list[ViewRow]:
        rows: list[ViewRow] = decode(self._connection.execute(statement, values).fetchone()[0])[0]
        return rows

    def _views(self, rows: Sequence[ViewRow], user: UserId) -> list[RoomView]:
        return [read_view(row) if row[UNREAD] is not None else self._counted(row, user) for row in rows]

    def _counted(self, row: ViewRow, user: UserId) -> RoomView:
        """Return the view of a row with the unread messages, of which there may be too many for the statement."""
        view = read_view(row)
        assert view.marker
        return evolve(view, unread=self._unread(RoomRow(*row[:ROOM_COLUMNS]), user, view.marker))

    def _unread(self, room: RoomRow, user: UserId, marker: Marker) -> int:
        seqs = _unread(self._connection, room, FirstUnread(user=user, read=marker.counted_from))
        return sum(1 for _ in islice(seqs, UNREAD_MAX))

    def _marker(self, room: RoomRow, user: UserId) -> Marker | None:
        row = self._one(statements.MARKER, room.id, user)
        return read_marker(row) if row else None

    def _member(self, room: RoomRow, user: UserId) -> Membership | None:
        row = self._one(statements.MEMBER, room.id, user)
        return read_member(row) if row else None

    def room(self, room: RoomId) -> RoomRow | None:
        row = self._one(statements.ROOM_NAMED, room)
        return RoomRow(*row) if row else None

    def _present(self, room: RoomRow, user: UserId, entries: Sequence[Entry]) -> Sequence[Entry]:
        return _present(self._connection, room, user, entries)

    def _entries(self, room: RoomRow, statement: str, *values: object) -> list[Entry]:
        return [read_entry(room.room, row) for row in self._all(statement, room.id, *values)]

    def _all(self, statement: str, *values: object) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: object) -> Any:
        return self._connection.execute(statement, values).fetchone()

    def _all_named(self, statement: str, **values: object) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()


def _present(connection: sqlite3.Connection, room: RoomRow, user: UserId, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return ``entries``, which are ascending, with messages in their present state."""
    seqs = [entry.seq for entry in entries if isinstance(entry.event, Message)]
    if not seqs:
        return entries
    edits = _edits(connection, room, seqs[0], seqs[-1])
    reactions = _reactions(connection, room, user, seqs[0], seqs[-1])
    return [message_projection.present(entry, edits.get(entry.seq), reactions.get(entry.seq, {})) for entry in entries]


def _edits(connection: sqlite3.Connection, room: RoomRow, first: Seq, last: Seq) -> Mapping[Seq, LastEdit]:
    rows = connection.execute(statements.EDITS_BETWEEN, (room.id, first, last))
    return {target: read_edit(at, event) for target, at, event in rows}


def _reactions(
    connection: sqlite3.Connection, room: RoomRow, user: UserId, first: Seq, last: Seq
) -> Mapping[Seq, Mapping[str, Reaction]]:
    values = {"room": room.id, "user": user, "first": first, "last": last}
    reactions: dict[Seq, dict[str, Reaction]] = defaultdict(dict)
    for target, emoji, count, users, mine in connection.execute(statements.REACTIONS_BETWEEN, values):
        reactions[target][emoji] = Reaction(count=count, users=json.loads(users), mine=bool(mine))
    return reactions


def _unread(connection: sqlite3.Connection, room: RoomRow, start: FirstUnread) -> Iterator[Seq]:
    """Yield the seqs of the unread messages, ascending. Long runs of the user's own messages are skipped."""
    below = connection.execute(statements.RUN_AT, (room.id, start.read)).fetchone()
    run, seq = (below[0] if below else 0), start.read
    while True:
        rows = connection.execute(statements.UNREAD_FROM, (room.id, run, seq, READ_TOGETHER)).fetchall()
        yield from (seq for _, seq, author in rows if author != start.user)
        if len(rows) < READ_TOGETHER:
            return
        run, seq, author = rows[-1]
        if author == start.user:
            seq = SEQ_MAX
