"""Entries, Rooms and errors as wire objects."""

from collections.abc import Sequence

from ..commands.answer_sizes import LAST_BODY_BYTES_MAX
from ..domain.entries import Entry, Message, Opened
from ..domain.presence import UserPresence
from ..domain.state import RoomView
from ..errors import ChatError
from ..ids import private_room_users
from ..ports.pushes import PresencePush, Room
from .events import KINDS, event_object, opens_object
from .values import Object, timestamp


def entry_object(entry: Entry) -> Object:
    """Return the wire object of an entry."""
    wire: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "kind": KINDS[type(entry.event)],
        "author": entry.author,
        "at": timestamp(entry.at),
        **event_object(entry.event),
    }
    if isinstance(entry.event, Message | Opened):
        wire["key"] = entry.key
    if entry.opens:
        wire["opens"] = opens_object(entry.opens)
    return wire


def user_presence_object(presence: UserPresence | PresencePush) -> Object:
    """Return the wire object of what is shown of a user."""
    wire: Object = {"state": presence.state}
    return wire if presence.last_seen is None else wire | {"last_seen": timestamp(presence.last_seen)}


def room_object(room: Room) -> Object:
    """Return the wire object of a Room. Its fields depend on the user's membership, and on the push or answer."""
    view = room.view
    wire: Object = {
        "room": view.room,
        "epoch": room.epoch,
        "kind": view.kind,
        "head": view.head if room.announced_at is None else room.announced_at,
        "members_count": view.members_count,
    }
    if view.title is not None:
        wire["title"] = view.title
    if view.kind == "private":
        first, second = private_room_users(view.room) or (room.user, room.user)
        wire["peer"] = second if first == room.user else first
    wire |= membership_object(view)
    if room.announced_at is not None:
        wire["me"].pop("unread", None)
    elif view.member and view.member.state == "member":
        wire["last"] = _last_object(view.last)
    if room.duplicate is not None:
        wire["duplicate"] = room.duplicate
    return wire


def membership_object(view: RoomView) -> Object:
    """Return ``me``, the user's membership and marker, and for a member the ``markers`` of all members."""
    member = view.member
    if member is None:
        return {}
    me: Object = {"role": member.role, "state": member.state}
    if member.state != "member" or view.marker is None:
        return {"me": me}
    me |= {
        "read": view.marker.read,
        "delivered": view.marker.delivered,
        "unread": view.unread,
        "muted": view.marker.muted,
    }
    if view.markers is None:
        return {"me": me}
    markers = {user: {"read": marker.read, "delivered": marker.delivered} for user, marker in view.markers.items()}
    return {"me": me, "markers": markers}


def _last_object(entry: Entry) -> Object:
    wire = entry_object(entry)
    body = wire.get("body", "").encode()
    if len(body) > LAST_BODY_BYTES_MAX:
        wire["body"] = body[:LAST_BODY_BYTES_MAX].decode(errors="ignore")
        wire["cut"] = True
    return wire


def entry_objects(entries: Sequence[Entry]) -> list[Object]:
    """Return the wire objects of entries."""
    return [entry_object(entry) for entry in entries]


def error_object(error: ChatError) -> Object:
    """Return the wire object of an error."""
    wire: Object = {"code": error.code, "message": error.message, "temporary": error.temporary}
    if error.field is not None:
        wire["field"] = error.field
    if error.retry_after_ms is not None:
        wire["retry_after_ms"] = error.retry_after_ms
    return wire
