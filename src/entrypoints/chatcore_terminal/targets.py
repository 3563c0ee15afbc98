"""Users and rooms on the command line."""

import re

from chatcore_client import Client, Room

_ROOM_ID = re.compile(r"room-[a-z2-7]{26}|pvt-[\w.~]+-[\w.~]+", re.ASCII)
"""Ids of rooms, as in ``docs/protocol.md``. Everything else is a user."""


def is_user(to: str) -> bool:
    return not _ROOM_ID.fullmatch(to)


def room_of(client: Client, to: str) -> Room:
    return client.room(with_=to) if is_user(to) else client.room(to)


def history_of(to: str) -> dict[str, str]:
    """Return the fields of `history` that name a room."""
    return {"with": to} if is_user(to) else {"room": to}
