"""Entries, Rooms and errors as clients get them."""

from collections.abc import Sequence

from ..commands.sizes import LAST_BODY_BYTES_MAX
from ..domain.entries import Entry, Message, Opened
from ..domain.state import RoomView
from ..errors import ChatError
from ..ids import UserId, private_room_users
from ..ports.pushes import Room
from .events import KINDS, event_object, opens_object
from .values import Object, timestamp


def entry_object(entry: Entry) -> Object:
    """An entry as the wire has it."""
    found: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "kind": KINDS[type(entry.event)],
        "author": entry.author,
        "at": timestamp(entry.at),
        **event_object(entry.event),
    }
    if isinstance(entry.event, Message | Opened):
        found["key"] = entry.key
    if entry.opens:
        found["opens"] = opens_object(entry.opens)
    return found


def room_object(room: Room) -> Object:
    """A Room: what of it is shown depends on the user's standing, and on whether it is pushed or listed."""
    view = room.view
    found: Object = {
        "room": view.room,
        "epoch": room.epoch,
        "kind": view.kind,
        "head": view.head if room.announced_at is None else room.announced_at,
        "members_count": view.members_count,
    }
    if view.title is not None:
        found["title"] = view.title
    if view.kind == "private":
        found["peer"] = _peer(view, room.user)
    found |= standing_object(view)
    if room.announced_at is not None:
        found["me"].pop("unread", None)
    elif view.member and view.member.standing == "member":
        found["last"] = _last_object(view.last)
    if room.duplicate is not None:
        found["duplicate"] = room.duplicate
    return found


def standing_object(view: RoomView) -> Object:
    """``me``, and for members everyone's markers."""
    member = view.member
    if member is None:
        return {}
    me: Object = {"role": member.role, "state": member.standing}
    if member.standing != "member" or view.marker is None:
        return {"me": me}
    me |= {
        "read": view.marker.read,
        "delivered": view.marker.delivered,
        "unread": view.unread,
        "muted": view.marker.muted,
    }
    if view.markers is None:
        return {"me": me}
    markers = {user: {"read": one.read, "delivered": one.delivered} for user, one in view.markers.items()}
    return {"me": me, "markers": markers}


def _peer(view: RoomView, user: UserId) -> UserId:
    one, other = private_room_users(view.room) or (user, user)
    return other if one == user else one


def _last_object(entry: Entry) -> Object:
    found = entry_object(entry)
    body = found.get("body", "").encode()
    if len(body) > LAST_BODY_BYTES_MAX:
        found["body"] = body[:LAST_BODY_BYTES_MAX].decode(errors="ignore")
        found["cut"] = True
    return found


def entry_objects(entries: Sequence[Entry]) -> list[Object]:
    return [entry_object(entry) for entry in entries]


def error_object(error: ChatError) -> Object:
    found: Object = {"code": error.code, "message": error.message, "temporary": error.temporary}
    if error.field is not None:
        found["field"] = error.field
    if error.retry_after_ms is not None:
        found["retry_after_ms"] = error.retry_after_ms
    return found
