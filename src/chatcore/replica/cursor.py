"""How much of a room a client has."""

from typing import TypeAlias

from attrs import evolve, frozen

from ..ids import Seq

Hole: TypeAlias = tuple[Seq, Seq]
"""The first and the last of the seqs that are lacking."""


@frozen
class Cursor:
    """How much of a room a client has: everything up to ``seq`` but ``holes``, of the log of that ``epoch``."""

    epoch: str
    seq: Seq
    holes: tuple[Hole, ...] = ()

    def moved(self, seq: Seq, *, lacking: bool) -> "Cursor":
        """The cursor at a later ``seq``; what lies between is a hole where the client is ``lacking`` it."""
        holes = (*self.holes, (self.seq + 1, seq)) if lacking and seq > self.seq else self.holes
        return evolve(self, seq=seq, holes=holes)

    def filled(self, hole: Hole, start: Seq) -> "Cursor":
        """The cursor with ``hole`` filled from ``start`` to its end."""
        rest = (hole[0], start - 1)
        holes = (rest if one == hole else one for one in self.holes)
        return evolve(self, holes=tuple((first, last) for first, last in holes if first <= last))
