"""Entries and rooms as rows, and back."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

from attrs import frozen

from chatcore.domain.entries import Edited, Entry, MembershipState, Role, RoomKind, RoomOpening
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.page_tokens import PageToken
from chatcore.domain.serialization import (
    STORED_KINDS,
    Object,
    compact_json,
    event_json,
    from_milliseconds,
    milliseconds,
    read_event,
    stored_opening,
)
from chatcore.domain.state import Marker, Membership, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import Change

Row: TypeAlias = tuple[Any, ...]
ViewRow: TypeAlias = list[Any]
"""A row of `statements.PAGE` or `statements.VIEWS_OF`: a room as a user sees it."""

ROOM_COLUMNS = 7
"""The columns `statements.ROOM`, with which a row of a view begins."""
PLACE = itemgetter(5, 0)
"""The columns of a view's row by which lists of rooms are sorted."""
TITLE_PLACE = itemgetter(-1, 1)
"""The columns of a row of `statements.PUBLIC_ROOMS` by which it is sorted."""
UNREAD = 14
"""The column of a view's unread messages. Those after it are the markers of all members, and the last entry."""


def entry_row(entry: Entry) -> Row:
    """Return the columns of `statements.WRITE_ENTRY` except the first."""
    return (
        entry.seq,
        entry.author,
        entry.key,
        milliseconds(entry.at),
        entry.digest,
        STORED_KINDS[type(entry.event)],
        event_json(entry.event),
        compact_json(stored_opening(entry.opens)) if entry.opens else None,
        compact_json(entry.affects) if entry.affects else None,
    )


def message_row(entry: Entry) -> Row:
    """Return the columns of a message that `statements.WRITE_MESSAGES` writes."""
    return entry.room, entry.seq, entry.author, entry.key, milliseconds(entry.at), entry.digest, event_json(entry.event)


def read_edit(at: int, event: str) -> LastEdit:
    """Return the last edit of a message from the columns ``at`` and ``event``."""
    edited = read_event(STORED_KINDS[Edited], json.loads(event))
    assert isinstance(edited, Edited)
    return LastEdit(version=edited.version, body=edited.body, at=from_milliseconds(at))


def read_entry(room: RoomId, row: Sequence[Any]) -> Entry:
    """Return an entry from the columns `statements.ENTRY`."""
    seq, author, key, at, digest, kind, event, opens = row
    return _entry(room, seq, author, key, at, digest, kind, decode(event)[0], decode(opens)[0] if opens else None)


def _entry(
    room: RoomId,
    seq: Seq,
    author: UserId,
    key: Key,
    at: int,
    digest: str | None,
    kind: str,
    event: Object,
    opens: Object | None,
) -> Entry:
    return Entry(
        room=room,
        seq=seq,
        author=author,
        at=from_milliseconds(at),
        key=key,
        digest=digest,
        event=read_event(kind, event),
        opens=RoomOpening(**opens) if opens else None,
    )


def read_view(row: ViewRow) -> RoomView:
    """Return the view of a row; its ``unread`` is 0 if the row does not have it."""
    _, room, kind, title, head, _, members_count, role, since, standing, read, *marker = row[:UNREAD]
    unread, markers, *last = row[UNREAD:]
    return RoomView(
        room=room,
        kind=kind,
        title=title,
        head=head,
        members_count=members_count,
        last=_entry(room, *last),
        member=None if standing is None else _membership(role, since, standing),
        marker=None if read is None else _marker(read, *marker),
        unread=unread or 0,
        markers=None if markers is None else {user: _marker(*shown) for user, *shown in markers},
    )


def read_change(row: Row) -> Change:
    position, room, seq, affects = row
    return Change(position=position, room=room, seq=seq, affects=tuple(json.loads(affects)) if affects else ())


def read_member(row: Row) -> Membership:
    return _membership(*row)


def read_marker(row: Sequence[Any]) -> Marker:
    return _marker(*row)


@lru_cache(4096)  # as of markers, below
def _membership(role: Role, since: Seq, standing: MembershipState) -> Membership:
    return Membership(role, since, standing)


@lru_cache(4096)  # a marker cannot change, and those of most rooms are alike
def _marker(read: Seq, delivered: Seq, unread_from: Seq | None, muted: int) -> Marker:
    return Marker(read, delivered, unread_from, bool(muted))


decode: Callable[[str], tuple[Any, int]] = json.JSONDecoder().raw_decode
"""Decodes JSON without spaces around it; `json.loads` takes twice as long to look for them."""


@frozen
class RoomRow:
    """The columns `statements.ROOM`."""

    id: int
    room: RoomId
    kind: RoomKind
    title: str | None
    head: Seq
    at: int
    members_count: int

    @property
    def place(self) -> PageToken:
        return PageToken(self.at, self.id)
