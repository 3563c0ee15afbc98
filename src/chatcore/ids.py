"""The format of user ids, room ids, keys and device names, and how room ids are made.

The rules are those of the wire contract (``docs/protocol.md``, "Fields and their bounds").
"""

import base64
import hashlib
import re
import secrets
from functools import lru_cache
from typing import TypeAlias

UserId: TypeAlias = str
RoomId: TypeAlias = str
Key: TypeAlias = str
Seq: TypeAlias = int

USER_MAX = 128
KEY_MAX = 64
DEVICE_MAX = 64

_ROOM_ID = re.compile(r"(?:pvt-[A-Za-z0-9._~]+-[A-Za-z0-9._~]+|room-[a-z2-7]{26})")
_PLAIN_PRIVATE_ROOM = re.compile(rf"pvt-([A-Za-z0-9._]{{1,{USER_MAX}}})-([A-Za-z0-9._]{{1,{USER_MAX}}})")
"""A private room of users whose ids need no escape."""
_DOTS = frozenset({".", ".."})
_USER_ID = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{USER_MAX}}}")  # categories Cc and Cs
_DEVICE = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{DEVICE_MAX}}}")
_TO_ESCAPE = re.compile(rb"[^A-Za-z0-9._]")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")


def is_user_id(value: str) -> bool:
    """Return whether ``value`` is a user id.

    A user id has 1 to 128 code points, none of category Cc, and no lone surrogate. ``.`` and ``..`` are no user ids:
    HTTP clients resolve these segments of URL paths.
    """
    return _USER_ID.fullmatch(value) is not None and value not in _DOTS


def is_device(value: str) -> bool:
    """Return whether ``value`` is a device name: 1 to 64 code points, none of category Cc, no lone surrogate."""
    return _DEVICE.fullmatch(value) is not None


def private_room_id(user: UserId, peer: UserId) -> RoomId:
    """Return the id of the private room of two users.

    The order of the users does not matter. Every pair of valid user ids has an id of its own.
    """
    first, second = sorted((user, peer))
    return f"pvt-{_escape(first)}-{_escape(second)}"


def private_room_users(room: RoomId) -> tuple[UserId, UserId] | None:
    """Return the two users of a private room id, or None if no pair of valid user ids has this room id."""
    if plain := _PLAIN_PRIVATE_ROOM.fullmatch(room):
        first, second = plain.groups()
        return (first, second) if first <= second and not {first, second} & _DOTS else None
    if not room.startswith("pvt-") or not is_room_id(room):
        return None
    first, _, second = room.removeprefix("pvt-").partition("-")
    try:
        users = _unescape(first), _unescape(second)
    except UnicodeDecodeError:
        return None
    if not all(map(is_user_id, users)) or private_room_id(*users) != room:
        return None
    return users


def created_room_id(author: UserId, key: Key) -> RoomId:
    """Return the id of the room that ``author`` creates with ``key``, so that a retry finds the same room."""
    # Neither a user id nor the length prefix contains the separator, so different pairs have different bytes.
    digest = hashlib.sha256(f"{len(author)}\0{author}\0{key}".encode()).digest()
    return "room-" + base64.b32encode(digest[:16]).decode("ascii").rstrip("=").lower()


def is_room_id(value: str) -> bool:
    """Return whether ``value`` has the format of a room id. The room may not exist."""
    return _ROOM_ID.fullmatch(value) is not None


def new_id() -> str:
    """Return a fresh, URL-safe id of 128 random bits."""
    return secrets.token_urlsafe(16)


@lru_cache(10_000)  # the same users send many commands
def _escape(user: UserId) -> str:
    return _TO_ESCAPE.sub(lambda match: b"~%02X" % match[0][0], user.encode("utf-8")).decode("ascii")


def _unescape(text: str) -> UserId:
    if "~" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1").decode("utf-8")
