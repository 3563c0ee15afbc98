"""Parts of entries as plain JSON values: the wire has them, and so have the rows of stores."""

from collections.abc import Mapping

from ..domain.entries import (
    Banned,
    Deleted,
    Edited,
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
from .converter import CONVERTER
from .values import Object, timestamp

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


def event_object(event: Event) -> Object:
    """What an entry of the event's kind carries, without ``kind``, as plain JSON values."""
    found: Object = CONVERTER.unstructure(event)
    if isinstance(event, Message):
        if event.deleted:
            del found["body"]
        if event.edited_at:
            found["edited_at"] = timestamp(event.edited_at)
    return found


def read_event(kind: str, fields: Object) -> Event:
    """The inverse of `event_object` for events as they are written. Raises KeyError for a kind that this version does
    not know."""
    if fields.get("deleted"):
        fields = {**fields, "body": ""}
    return CONVERTER.structure(fields, EVENTS[kind])


def opens_object(opens: Opens) -> Object:
    """``opens`` of the first entry of a log, as plain JSON values."""
    found: Object = CONVERTER.unstructure(opens)
    return found


def read_opens(fields: Object) -> Opens:
    """The inverse of `opens_object`."""
    return CONVERTER.structure(fields, Opens)
