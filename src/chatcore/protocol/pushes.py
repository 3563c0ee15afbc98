"""Pushes as wire objects."""

from collections.abc import Callable, Mapping
from typing import Any

from ..domain.entries import Entry
from ..ports.pushes import Bye, Expiring, MarkerPush, PresencePush, Ready, Room, RoomGone, TypingPush
from .objects import entry_object, room_object, user_presence_object
from .values import Object

PUSHES: Mapping[str, type] = {
    "ready": Ready,
    "entry": Entry,
    "room": Room,
    "room.gone": RoomGone,
    "marker": MarkerPush,
    "typing": TypingPush,
    "presence": PresencePush,
    "auth.expiring": Expiring,
    "bye": Bye,
}
"""The classes of the bodies of all pushes, by event."""


def push_object(body: object) -> Object:
    """Return the wire object of a push's body."""
    return _WRITERS[type(body)](body)


def _expiring_object(expiring: Expiring) -> Object:
    return {"expires_in": expiring.expires_in}


def _room_gone_object(gone: RoomGone) -> Object:
    return {"room": gone.room}


def _marker_object(marker: MarkerPush) -> Object:
    wire: Object = {"room": marker.room, "user": marker.user, "read": marker.read, "delivered": marker.delivered}
    return wire if marker.unread is None else wire | {"unread": marker.unread}


def _typing_object(typing: TypingPush) -> Object:
    return {"room": typing.room, "users": list(typing.users)}


def _presence_object(presence: PresencePush) -> Object:
    return {"user": presence.user, **user_presence_object(presence)}


def _ready_object(ready: Ready) -> Object:
    wire: Object = {
        "protocol": ready.protocol,
        "features": list(ready.features),
        "epoch": ready.epoch,
        "user": ready.user,
        "device": ready.device,
        "socket": ready.socket,
        "node": ready.node,
        "rooms": [room_object(room) for room in ready.rooms],
    }
    if ready.next is not None:
        wire["next"] = ready.next
    if ready.expires_in is not None:
        wire["expires_in"] = ready.expires_in
    return wire


def _bye_object(bye: Bye) -> Object:
    wire: Object = {"code": bye.code, "resumable": bye.resumable}
    if bye.retry_after_ms is not None:
        wire["retry_after_ms"] = bye.retry_after_ms
    return wire


_WRITERS: Mapping[type, Callable[[Any], Object]] = {
    Entry: entry_object,
    Room: room_object,
    RoomGone: _room_gone_object,
    MarkerPush: _marker_object,
    TypingPush: _typing_object,
    PresencePush: _presence_object,
    Expiring: _expiring_object,
    Ready: _ready_object,
    Bye: _bye_object,
}
