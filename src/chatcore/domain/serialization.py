"""Entries as JSON objects and back, as stores keep them.

What is on a disk has this form for ever. It does not depend on the wire format, which `chatcore.protocol` defines.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from math import isfinite
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
    Reacted,
    Removed,
    RoleChanged,
    RoomOpening,
    Unbanned,
    Updated,
)

DATA_BYTES_MAX = 8_192
INTEGER_MAX = 2**53
JSON_DEPTH_MAX = 32
"""The deepest nesting of objects and lists."""

Object: TypeAlias = dict[str, Any]
"""A JSON object."""

STORED_EVENTS: Mapping[str, type[Event]] = {
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
STORED_KINDS: Mapping[type[Event], str] = {event: kind for kind, event in STORED_EVENTS.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIELDS = {event: tuple(field.name for field in fields(event)) for event in STORED_KINDS}


def stored_entry(entry: Entry) -> Object:
    """Return the stored form of an entry.

    ``at`` is in milliseconds since 1970. Only the first entry of a log has ``opens``.
    """
    written: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "author": entry.author,
        "key": entry.key,
        "at": milliseconds(entry.at),
        "digest": entry.digest,
        "kind": STORED_KINDS[type(entry.event)],
        "event": stored_event(entry.event),
    }
    if entry.opens:
        written["opens"] = stored_opening(entry.opens)
    return written


def read_entry(written: Object) -> Entry:
    """Return the entry of a stored form: the inverse of `stored_entry`.

    Raises KeyError for an unknown kind, and TypeError for an unknown field.
    """
    opens = written.get("opens")
    return Entry(
        room=written["room"],
        seq=written["seq"],
        author=written["author"],
        at=from_milliseconds(written["at"]),
        key=written["key"],
        digest=written["digest"],
        event=read_event(written["kind"], written["event"]),
        opens=RoomOpening(**opens) if opens else None,
    )


def stored_event(event: Event) -> Object:
    """Return the stored form of an event, without its kind. Fields without a value are left out."""
    if isinstance(event, Message):
        return _message_object(event)
    values = ((name, getattr(event, name)) for name in _FIELDS[type(event)])
    return {name: value for name, value in values if value is not None}


def event_json(event: Event) -> str:
    """Return `compact_json` of the stored form of an event, without making the form for a message of text alone."""
    match event:
        case Message(body=body, data=None, reply_to=None, mentions=(), version=version, deleted=False):
            return f'{{"body":{compact_json(body)},"version":{version}}}'
        case _:
            return compact_json(stored_event(event))


def _message_object(message: Message) -> Object:
    """Return the stored form of a message.

    It has no ``edited_at`` and no ``reactions``: edits and reactions are entries of their own.
    """
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
    """Return the event of a stored form: the inverse of `stored_event`.

    Raises KeyError for an unknown kind, and TypeError for an unknown field.
    """
    if written.get("deleted"):
        written = {**written, "body": ""}
    return STORED_EVENTS[kind](**written)


def stored_opening(opens: RoomOpening) -> Object:
    """Return the stored form of the room that an entry opens."""
    written: Object = {"kind": opens.kind, "members": dict(opens.members)}
    if opens.title is not None:
        written["title"] = opens.title
    return written


def milliseconds(at: datetime) -> int:
    """Return the whole milliseconds since 1970, rounded down. They are exact for every year; a float is not."""
    return (at - _EPOCH) // _MILLISECOND


def from_milliseconds(at: int) -> datetime:
    """Return the UTC time that is ``at`` milliseconds after 1970 began: the inverse of `milliseconds`."""
    return _EPOCH + at * _MILLISECOND


def text_bytes(entry: Entry) -> int:
    """Return the bytes of the texts in an entry.

    They are its ``body`` in UTF-8, its ``data`` as compact JSON, and the emoji and user ids that its reactions name.
    """
    match entry.event:
        case Message(body=body, data=data, reactions=reactions):
            named = [text for emoji, reaction in reactions.items() for text in (emoji, *reaction.users)]
            return sum(map(_bytes, (body, *named))) + (0 if data is None else _bytes(compact_json(data)))
        case Edited(body=str(body)):
            return _bytes(body)
        case _:
            return 0


def _bytes(text: str) -> int:
    return len(text.encode())


def compact_json(value: object) -> str:
    """Return JSON without spaces. Sizes are measured in this form, and stores keep it."""
    if type(value) is str:
        return encode_basestring(value)  # what the encoder calls, without its layers of Python
    return _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def data_fault(value: object) -> str | None:
    """Return what is wrong with a value as the ``data`` of a message, as the end of a sentence; None if it is valid.

    ``data`` is a JSON object of bounded size and depth. Its integers are exact as a double, up to 2**53.
    """
    if not isinstance(value, dict) or not _is_plain_json(value, JSON_DEPTH_MAX):
        return f"must be a JSON object of at most {JSON_DEPTH_MAX} levels, with finite and exact numbers"
    if len(compact_json(value).encode()) > DATA_BYTES_MAX:
        return f"must have at most {DATA_BYTES_MAX} bytes as compact JSON"
    return None


def is_encodable(value: str) -> bool:
    """Return whether a string has no lone surrogates, and so has an encoding in UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain_json(value: object, depth: int) -> bool:
    match value:
        case None | bool():
            return True
        case str():
            return is_encodable(value)
        case int():
            return -INTEGER_MAX <= value <= INTEGER_MAX
        case float():
            return isfinite(value)
        case dict():
            names = all(isinstance(name, str) and is_encodable(name) for name in value)
            return depth > 0 and names and all(_is_plain_json(member, depth - 1) for member in value.values())
        case list():
            return depth > 0 and all(_is_plain_json(item, depth - 1) for item in value)
        case _:
            return False
