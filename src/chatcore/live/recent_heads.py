"""The heads of rooms that are not live here, as hints and their last live room told them a moment ago."""

import anyio

from ..ids import RoomId, Seq

REMEMBERED_S = 10
"""Longer than it takes to read where a socket is to follow: a read of the store has 2 s."""


class RecentHeads:
    """The highest known seq of each room, for 10 s.

    A socket subscribes to a room from a head that was read before. A hint of an entry that is written between that
    read and the subscription finds no live room: without this memory the entry would be missing until the next one.
    """

    def __init__(self) -> None:
        self._heads: dict[RoomId, tuple[Seq, float]] = {}  # the newest comes last

    def note(self, room: RoomId, seq: Seq) -> None:
        now = anyio.current_time()
        self._heads[room] = max(seq, self._heads.pop(room, (0, now))[0]), now
        self._forget(now - REMEMBERED_S)

    def seq(self, room: RoomId) -> Seq:
        """Return the highest seq that is remembered, 0 where none is."""
        return self._heads[room][0] if room in self._heads else 0

    def _forget(self, before: float) -> None:
        while True:
            room, (_, at) = next(iter(self._heads.items()))
            if at >= before:
                return
            del self._heads[room]
