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

    @property
    def complete_from(self) -> Seq:
        """The seq from which the client lacks no entry up to ``seq``; one above ``seq`` if it lacks the entry there."""
        return self.holes[-1][1] + 1 if self.holes else 1

    def advanced(self, seq: Seq, *, lacking: bool) -> "RoomCursor":
        """Return the cursor at a later ``seq``. The range in between becomes a hole if the client is ``lacking`` it."""
        holes = (*self.holes, (self.seq + 1, seq)) if lacking and seq > self.seq else self.holes
        return evolve(self, seq=seq, holes=holes)

    def without(self, below: Seq) -> "RoomCursor":
        """Return the cursor of a client that has dropped all entries below a seq."""
        return evolve(self, holes=((1, below - 1),)) if below > 1 else self

    def filled(self, hole: Hole, start: Seq) -> "RoomCursor":
        """Return the cursor with the hole that ends with ``hole`` filled from ``start``."""
        rests = ((first, start - 1 if last == hole[1] else last) for first, last in self.holes)
        return evolve(self, holes=tuple((first, last) for first, last in rests if first <= last))
