"""User ids, room ids, keys: what they look like and how rooms get theirs.

The rules are the wire contract's (``docs/protocol.md``, "Fields and their bounds"). All functions here are pure.
"""

import base64
import hashlib
import re
import secrets
import unicodedata
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
_USER_ID = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{USER_MAX}}}")  # Cc and Cs are these, in every Unicode
_TO_ESCAPE = re.compile(rb"[^A-Za-z0-9._]")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")


def is_user_id(value: str) -> bool:
    """1 to 128 code points, none of category Cc, no lone surrogate, and not ``.`` or ``..`` (URL paths fold them)."""
    return _USER_ID.fullmatch(value) is not None and value not in (".", "..")


def is_device(value: str) -> bool:
    """1 to 64 code points, none of category Cc, no lone surrogate."""
    return 1 <= len(value) <= DEVICE_MAX and not any(unicodedata.category(char) in ("Cc", "Cs") for char in value)


def private_room_id(one: UserId, other: UserId) -> RoomId:
    """The id of the room of two users: symmetric, injective, total over valid user ids."""
    first, second = sorted((one, other))
    return f"pvt-{_escape(first)}-{_escape(second)}"


def private_room_users(room: RoomId) -> tuple[UserId, UserId] | None:
    """The two users whose private room this is, or None where no pair of valid users has this id."""
    if not room.startswith("pvt-") or not is_room_id(room):
        return None
    one, _, other = room.removeprefix("pvt-").partition("-")
    try:
        users = _unescape(one), _unescape(other)
    except UnicodeDecodeError:
        return None
    if not all(map(is_user_id, users)) or private_room_id(*users) != room:
        return None
    return users


def created_room_id(author: UserId, key: Key) -> RoomId:
    """The id of the room that ``author`` creates with ``key``: a retry of the creation meets the same room."""
    # The separator stands in neither a user id nor in the length prefix, so no two pairs share their bytes.
    digest = hashlib.sha256(f"{len(author)}\0{author}\0{key}".encode()).digest()
    return "room-" + base64.b32encode(digest[:16]).decode("ascii").rstrip("=").lower()


def is_room_id(value: str) -> bool:
    """Whether ``value`` has the shape of a room id; it says nothing about whether such a room exists."""
    return _ROOM_ID.fullmatch(value) is not None


def new_id() -> str:
    """A fresh identifier of 128 random bits, URL-safe."""
    return secrets.token_urlsafe(16)


@lru_cache(10_000)  # whoever writes does so again
def _escape(user: UserId) -> str:
    return _TO_ESCAPE.sub(lambda found: b"~%02X" % found[0][0], user.encode("utf-8")).decode("ascii")


def _unescape(text: str) -> UserId:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1").decode("utf-8")
