"""How a Room object of the wire follows the entries of its room, and the user's markers."""

from ..ids import Seq, UserId
from .effects import Object

UNREAD_MAX = 100
""" "exact to 99, then 100"."""
ASKS_FOR_ROOM = frozenset(("joined", "left", "removed", "banned", "role", "deleted"))
"""Kinds of entries after which `room.get` is asked: what they change may depend on entries that the client lacks."""


def with_defaults(room: Object) -> Object:
    """Return the Room of a push or an answer, with the `unread` that a push leaves out: a new member has read all."""
    room = {name: value for name, value in room.items() if name != "ok"}
    me = room["me"]
    return room if "unread" in me or me["state"] != "member" else {**room, "me": {**me, "unread": 0}}


def after_entry(room: Object, entry: Object, user: UserId) -> Object:
    """Return the Room after the entry that follows its head."""
    after: Object = {**room, "head": entry["seq"], "last": entry}
    if entry["kind"] == "updated" and "title" in entry:
        after["title"] = entry["title"]
    if entry["kind"] == "message" and entry["author"] != user and not entry.get("deleted"):
        me = room["me"]
        after["me"] = {**me, "unread": min(me.get("unread", 0) + 1, UNREAD_MAX)}
    return after


def after_marker(room: Object, user: UserId, marker: Object, own: UserId) -> Object:
    """Return the Room after a `marker` push, or after the answer of `mark`, about the markers of ``user``.

    "never go back": an answer may be older than a push.
    """
    after = dict(room)
    markers = room.get("markers", {})
    if user in markers:
        after["markers"] = {**markers, user: _later(markers[user], marker)}
    if user == own:
        me = _later(room["me"], marker)
        after["me"] = {**me, **{name: marker[name] for name in ("unread", "muted") if name in marker}}
    return after


def _later(before: Object, marker: Object) -> Object:
    return {
        **before,
        **{name: max(marker[name], before.get(name, 0)) for name in ("read", "delivered") if name in marker},
    }


def not_before(room: Object, before: Object) -> Object:
    """Return a Room whose markers are not before those of ``before``, which an answer may have overtaken."""
    me, known = room["me"], before["me"]
    if known.get("read", 0) > me.get("read", 0):
        room = {**room, "me": {**_later(me, known), "unread": known["unread"]}}
    if "markers" in room and "markers" in before:
        markers = {user: _later(marker, before["markers"].get(user, {})) for user, marker in room["markers"].items()}
        room = {**room, "markers": markers}
    return room


def with_read(room: Object, user: UserId, seq: Seq, unread: int | None) -> Object:
    """Return the Room as it is shown when the user has read up to ``seq``, with the new count if that is known."""
    marker: Object = {"read": seq, "delivered": seq}
    if unread is not None:
        marker["unread"] = unread
    return after_marker(room, user, marker, user)
