"""Entries and rooms as rows, and back."""

import json
from typing import Any, TypeAlias

from attrs import frozen

from chatcore.domain.entries import Edited, Entry, RoomKind
from chatcore.domain.page_tokens import PageToken, from_milliseconds, milliseconds
from chatcore.domain.state import Marker, Member
from chatcore.domain.texts import compact_json
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import Change
from chatcore.protocol import KINDS, event_object, opens_object, read_event, read_opens

Row: TypeAlias = tuple[Any, ...]


def entry_row(entry: Entry) -> Row:
    """The columns of `statements.WRITE_ENTRY` but the first."""
    return (
        entry.seq,
        entry.author,
        entry.key,
        milliseconds(entry.at),
        entry.digest,
        *event_columns(entry),
        None if entry.opens is None else compact_json(opens_object(entry.opens)),
        compact_json(entry.affects) if entry.affects else None,
    )


def event_columns(entry: Entry) -> tuple[str, str]:
    return KINDS[type(entry.event)], compact_json(event_object(entry.event))


def read_edited(event: str) -> Edited:
    """The event of an entry that is an edit."""
    edited = read_event(KINDS[Edited], json.loads(event))
    assert isinstance(edited, Edited)
    return edited


def read_entry(room: RoomId, row: Row) -> Entry:
    """An entry from the columns `statements.ENTRY`."""
    seq, author, key, at, digest, kind, event, opens = row
    return Entry(
        room=room,
        seq=seq,
        author=author,
        at=from_milliseconds(at),
        key=key,
        digest=digest,
        event=read_event(kind, json.loads(event)),
        opens=None if opens is None else read_opens(json.loads(opens)),
    )


def read_change(row: Row) -> Change:
    position, room, seq, affects = row
    return Change(position=position, room=room, seq=seq, affects=tuple(json.loads(affects)) if affects else ())


def read_member(row: Row) -> Member:
    role, since, standing = row
    return Member(role, since, standing)


def read_marker(row: Row) -> Marker:
    read, delivered, unread_from, muted = row
    return Marker(read, delivered, unread_from, bool(muted))


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
