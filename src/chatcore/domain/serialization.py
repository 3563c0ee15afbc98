"""Entries as JSON objects and back, as stores keep them.

What is on a disk has this form for ever. It does not depend on the wire format, which `chatcore.protocol` defines.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import fields

from .entries import (
    Banned,
    Deleted,
    Edited,
    Entry,
    Event,
    Invited,
    Joined,
    Left,
    Message,
    Opened,
    Opens,
    Reacted,
    Removed,
    RoleChanged,
    Unbanned,
    Updated,
)
from .page_tokens import from_milliseconds, milliseconds

Object: TypeAlias = dict[str, Any]
"""A JSON object."""

EVENTS: Mapping[str, type[Event]] = {
    "message": Message,
    "edited": Edited,
    "deleted": Deleted,
    "reacted": Reacted,
    "opened": Opened,
    "joined": Joined,
    "left": Left,
    "invited": Invited,
    "removed": Removed,
    "banned": Banned,
    "unbanned": Unbanned,
    "role": RoleChanged,
    "updated": Updated,
}
KINDS: Mapping[type[Event], str] = {event: kind for kind, event in EVENTS.items()}
_FIELDS = {event: tuple(field.name for field in fields(event)) for event in KINDS}


def entry_object(entry: Entry) -> Object:
    """An entry as it is written. ``at`` is in milliseconds since 1970; only the first entry of a log has ``opens``."""
    written: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "author": entry.author,
        "key": entry.key,
        "at": milliseconds(entry.at),
        "digest": entry.digest,
        "kind": KINDS[type(entry.event)],
        "event": event_object(entry.event),
    }
    if entry.opens:
        written["opens"] = opens_object(entry.opens)
    return written


def read_entry(written: Object) -> Entry:
    """The inverse of `entry_object`. Raises KeyError for a kind, and TypeError for a field, that is not known."""
    opens = written.get("opens")
    return Entry(
        room=written["room"],
        seq=written["seq"],
        author=written["author"],
        at=from_milliseconds(written["at"]),
        key=written["key"],
        digest=written["digest"],
        event=read_event(written["kind"], written["event"]),
        opens=Opens(**opens) if opens else None,
    )


def event_object(event: Event) -> Object:
    """The fields of an event as it is written; fields without a value are left out."""
    if isinstance(event, Message):
        return _message_object(event)
    values = ((name, getattr(event, name)) for name in _FIELDS[type(event)])
    return {name: value for name, value in values if value is not None}


def _message_object(message: Message) -> Object:
    """Edits and reactions are entries of their own: ``edited_at`` and ``reactions`` are not written."""
    written: Object = {} if message.deleted else {"body": message.body}
    if message.data is not None:
        written["data"] = message.data
    if message.reply_to is not None:
        written["reply_to"] = message.reply_to
    if message.mentions:
        written["mentions"] = list(message.mentions)
    written["version"] = message.version
    if message.deleted:
        written["deleted"] = True
    return written


def read_event(kind: str, written: Object) -> Event:
    """The inverse of `event_object`. Raises KeyError for a kind, and TypeError for a field, that is not known."""
    if written.get("deleted"):
        written = {**written, "body": ""}
    return EVENTS[kind](**written)


def opens_object(opens: Opens) -> Object:
    """What the first entry of a log opens."""
    written: Object = {"kind": opens.kind, "members": dict(opens.members)}
    if opens.title is not None:
        written["title"] = opens.title
    return written
