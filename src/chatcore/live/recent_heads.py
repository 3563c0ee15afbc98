"""The recently reported heads of rooms that are not live on this node."""

from ..ids import RoomId, Seq
from .event_loop import current_time

REMEMBERED_S = 10
"""Seconds for which a head is remembered. A read of the heads from which a socket subscribes takes at most 2 s."""


class RecentHeads:
    """The highest seq of each room that a hint or its last live room reported, for 10 s.

    A socket subscribes to a room from a head that was read before. An entry may be written between this read and the
    subscription, and its hint finds no live room. Without the recent head, the entry would not be pushed before the
    next one.
    """

    def __init__(self) -> None:
        self._heads: dict[RoomId, tuple[Seq, float]] = {}  # the newest comes last

    def note(self, room: RoomId, seq: Seq) -> None:
        """Remember that ``room`` has reached ``seq``."""
        now = current_time()
        self._heads[room] = max(seq, self._heads.pop(room, (0, now))[0]), now
        self._forget(now - REMEMBERED_S)

    def seq(self, room: RoomId) -> Seq:
        """Return the highest remembered seq, or 0 if there is none."""
        return self._heads[room][0] if room in self._heads else 0

    def _forget(self, before: float) -> None:
        while True:
            room, (_, at) = next(iter(self._heads.items()))
            if at >= before:
                return
            del self._heads[room]
