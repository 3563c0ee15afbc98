"""Events and ``opens`` of entries as wire objects."""

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
    Reacted,
    Removed,
    RoleChanged,
    RoomOpening,
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


def opens_object(opens: RoomOpening) -> Object:
    """Return ``opens`` of the first entry of a log as a wire object."""
    wire: Object = CONVERTER.unstructure(opens)
    return wire
