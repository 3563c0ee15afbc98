"""Events and ``opens`` of entries as wire objects, and back."""

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
    """Return the event's fields in the wire object of its entry, without ``kind``."""
    wire: Object = CONVERTER.unstructure(event)
    if isinstance(event, Message):
        if event.deleted:
            del wire["body"]
        if event.edited_at:
            wire["edited_at"] = timestamp(event.edited_at)
    return wire


def read_event(kind: str, fields: Object) -> Event:
    """Return the event of a wire object; the inverse of `event_object` for events as written.

    Raises KeyError for a kind that this version does not know.
    """
    if fields.get("deleted"):
        fields = {**fields, "body": ""}
    return CONVERTER.structure(fields, EVENTS[kind])


def opens_object(opens: Opens) -> Object:
    """Return ``opens`` of the first entry of a log as a wire object."""
    wire: Object = CONVERTER.unstructure(opens)
    return wire


def read_opens(fields: Object) -> Opens:
    """Return ``opens`` of a wire object; the inverse of `opens_object`."""
    return CONVERTER.structure(fields, Opens)
