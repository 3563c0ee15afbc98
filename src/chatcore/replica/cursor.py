"""A client's position in a room."""

from typing import TypeAlias

from attrs import evolve, frozen

from ..ids import Seq

Hole: TypeAlias = tuple[Seq, Seq]
"""The first and the last seq of a range that the client lacks."""


@frozen
class RoomCursor:
    """The entries that a client has of a room: all up to ``seq`` but those in ``holes``, of the log of ``epoch``."""

    epoch: str
    seq: Seq
    holes: tuple[Hole, ...] = ()

    def advanced(self, seq: Seq, *, lacking: bool) -> "RoomCursor":
        """Return the cursor at a later ``seq``. The range in between becomes a hole if the client is ``lacking`` it."""
        holes = (*self.holes, (self.seq + 1, seq)) if lacking and seq > self.seq else self.holes
        return evolve(self, seq=seq, holes=holes)

    def filled(self, hole: Hole, start: Seq) -> "RoomCursor":
        """Return the cursor with ``hole`` filled from ``start`` to its end."""
        rest = (hole[0], start - 1)
        holes = (rest if other == hole else other for other in self.holes)
        return evolve(self, holes=tuple((first, last) for first, last in holes if first <= last))
