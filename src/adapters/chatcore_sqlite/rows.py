"""Entries and rooms as rows, and back."""

import json
from typing import Any, TypeAlias

from attrs import frozen

from chatcore.domain.entries import Edited, Entry, RoomKind
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.page_tokens import PageToken
from chatcore.domain.serialization import (
    STORED_KINDS,
    compact_json,
    event_json,
    from_milliseconds,
    milliseconds,
    read_event,
    stored_opening,
)
from chatcore.domain.serialization import read_entry as read_entry_object
from chatcore.domain.state import Marker, Membership
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import Change

Row: TypeAlias = tuple[Any, ...]


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


def read_entry(room: RoomId, row: Row) -> Entry:
    """Return an entry from the columns `statements.ENTRY`."""
    seq, author, key, at, digest, kind, event, opens = row
    return read_entry_object(
        {
            "room": room,
            "seq": seq,
            "author": author,
            "key": key,
            "at": at,
            "digest": digest,
            "kind": kind,
            "event": json.loads(event),
            "opens": json.loads(opens) if opens else None,
        }
    )


def read_change(row: Row) -> Change:
    position, room, seq, affects = row
    return Change(position=position, room=room, seq=seq, affects=tuple(json.loads(affects)) if affects else ())


def read_member(row: Row) -> Membership:
    role, since, standing = row
    return Membership(role, since, standing)


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
