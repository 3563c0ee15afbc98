"""What the ends of rooms' logs are known to be: what the next entry of a room goes on from."""

from collections import OrderedDict
from collections.abc import Mapping

from attrs import frozen

from chatcore.ids import RoomId, Seq, UserId

from .documents import Became

REMEMBERED = 10_000
"""Rooms."""


@frozen
class Tail:
    """A room as of ``seq``, an entry that is durable. ``members`` are all of them, None where that is not known."""

    seq: Seq
    became: Became
    members: Mapping[UserId, Seq] | None


class Tails:
    """The newest tail of each of the rooms that were written to last. It only saves reads: nothing is decided by it."""

    def __init__(self) -> None:
        self._tails: OrderedDict[RoomId, Tail] = OrderedDict()

    def get(self, room: RoomId, seq: Seq) -> Tail | None:
        """The tail at ``seq``, where that is the one that is known."""
        found = self._tails.get(room)
        return found if found and found.seq == seq else None

    def put(self, room: RoomId, tail: Tail) -> None:
        known = self._tails.get(room)
        if known is None or known.seq < tail.seq:
            self._tails[room] = tail
            self._tails.move_to_end(room)
            if len(self._tails) > REMEMBERED:
                self._tails.popitem(last=False)
