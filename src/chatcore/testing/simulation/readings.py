"""The commands that read, and what must be true of their answers."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ...commands.auth import RefreshAuth
from ...errors import Unauthenticated
from ...protocol import Object, error_object
from .attempts import Attempt
from .host import GOOD, REFRESHED_S
from .logs import Logs
from .reading_history import history, sync
from .reading_marks import mark
from .reading_rooms import members, room, rooms
from .world import World

Reading: TypeAlias = Callable[[World, Attempt, Any, Object, Logs], str | None]
"""Gives what is wrong with an answer that is not temporary, None where nothing is."""


def _refresh(world: World, attempt: Attempt, command: RefreshAuth, answer: Object, logs: Logs) -> str | None:
    if not attempt.over_socket:
        return None if answer.get("error", {}).get("code") == "invalid" else "there was no socket to refresh"
    if command.token == GOOD:
        return None if answer == {"ok": True, "expires_in": REFRESHED_S} else "a good token was not taken"
    refused = {"ok": False, "error": error_object(Unauthenticated())}
    return None if answer == refused else "a wrong token was taken"


READINGS: Mapping[str, Reading] = {
    "history": history,
    "sync": sync,
    "rooms": rooms,
    "room.get": room,
    "room.members": members,
    "mark": mark,
    "auth.refresh": _refresh,
}
