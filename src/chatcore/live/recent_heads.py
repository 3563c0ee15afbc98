"""How far rooms had come that were alive here a moment ago, or of which something was told though they were not."""

import anyio

from ..ids import RoomId, Seq

REMEMBERED_S = 10
"""Longer than it takes to read where a socket is to follow: a read of the store has 2 s."""


class RecentHeads:
    """The highest seq that was told of a room, for 10 s.

    A socket follows a room from the head that was read for it. What is written between that read and the follow is
    told while the room may not be alive here: without this memory it would be missing until the room's next entry.
    """

    def __init__(self) -> None:
        self._told: dict[RoomId, tuple[Seq, float]] = {}  # what was told last comes last

    def note(self, room: RoomId, seq: Seq) -> None:
        now = anyio.current_time()
        self._told[room] = max(seq, self._told.pop(room, (0, now))[0]), now
        self._forget(now - REMEMBERED_S)

    def seq(self, room: RoomId) -> Seq:
        """The highest seq told lately, 0 where nothing was."""
        return self._told[room][0] if room in self._told else 0

    def _forget(self, before: float) -> None:
        while True:
            room, (_, at) = next(iter(self._told.items()))
            if at >= before:
                return
            del self._told[room]
