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
    if isinstance(event, Message):
        return _message_object(event)
    wire: Object = CONVERTER.unstructure(event)
    return wire


def _message_object(message: Message) -> Object:
    wire: Object = {} if message.deleted else {"body": message.body}
    if message.data is not None:
        wire["data"] = message.data
    if message.reply_to is not None:
        wire["reply_to"] = message.reply_to
    if message.mentions:
        wire["mentions"] = list(message.mentions)
    wire["version"] = message.version
    if message.reactions:
        wire["reactions"] = {
            emoji: {"count": reaction.count, "users": list(reaction.users)}
            for emoji, reaction in message.reactions.items()
        }
    if message.deleted:
        wire["deleted"] = True
    if message.edited_at:
        wire["edited_at"] = timestamp(message.edited_at)
    return wire


def opens_object(opens: RoomOpening) -> Object:
    """Return ``opens`` of the first entry of a log as a wire object."""
    wire: Object = CONVERTER.unstructure(opens)
    return wire
