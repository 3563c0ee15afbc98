"""Fails queued commands at their deadlines, also while their room waits for the store."""

import anyio

from .event_loop import current_time
from .room import LiveRoom

RESOLUTION_S = 0.05
"""Shortest time between two rounds. A round looks at every queued command of a room, so it serves many at once."""


class CommandTimeouts:
    """Fails expired commands with `Unavailable`, in every room of a Chat that has queued commands.

    All commands have the same time limit, so a command that is queued later expires later: a round sleeps until the
    first deadline that it saw and misses no other.
    """

    def __init__(self) -> None:
        self._rooms: dict[LiveRoom, None] = {}
        self._watched = anyio.Event()

    def watch(self, room: LiveRoom) -> None:
        """Look after the commands of ``room`` until it has none."""
        if not self._rooms:
            self._watched.set()
        self._rooms[room] = None

    def forget(self, room: LiveRoom) -> None:
        """``room`` has no commands."""
        self._rooms.pop(room, None)

    async def turn(self) -> None:
        """Fail what has expired, then wait until the next command may expire."""
        while not self._rooms:
            self._watched = anyio.Event()
            await self._watched.wait()
        now = current_time()
        deadlines: list[float] = []
        for room in tuple(self._rooms):
            deadline = room.expire(now)
            if deadline is None:
                self.forget(room)
            else:
                deadlines.append(deadline)
        await anyio.sleep(max(RESOLUTION_S, min(deadlines, default=now) - now))
