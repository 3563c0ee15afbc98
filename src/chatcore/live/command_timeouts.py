"""Fails pending commands at their deadlines, also while their room waits for the store."""

import anyio

from .event_loop import current_time
from .room import LiveRoom

RESOLUTION_S = 0.05
"""Shortest time between two rounds. A round checks every pending command of a room, so few rounds are cheaper."""


class CommandTimeouts:
    """Fails expired commands with `Unavailable`, in every room of a Chat that has pending commands.

    All commands have the same time limit, so a command that is queued later expires later. A round sleeps until the
    first deadline that it has seen, and misses no earlier one.
    """

    def __init__(self) -> None:
        self._rooms: dict[LiveRoom, None] = {}
        self._watched = anyio.Event()

    def watch(self, room: LiveRoom) -> None:
        """Watch the deadlines of ``room`` until it has no commands."""
        if not self._rooms:
            self._watched.set()
        self._rooms[room] = None

    def forget(self, room: LiveRoom) -> None:
        """Stop watching ``room``, which has no commands."""
        self._rooms.pop(room, None)

    async def expire(self) -> None:
        """Fail the expired commands, then wait until the next command may expire."""
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
