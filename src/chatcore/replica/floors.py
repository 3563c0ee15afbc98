"""Down to which entry a client fills the holes of its rooms."""

from typing import Protocol

from attrs import define, field

from ..ids import RoomId, Seq
from .cursor import RoomCursor

FIRST_PAGE = 50
"""How many of its newest entries a room loads when it is opened."""


class Floors(Protocol):
    """The floor of a room is the lowest seq that the client wants. Holes below it are not paged."""

    def of(self, room: RoomId, cursor: RoomCursor) -> Seq | None:
        """Return the floor of a room, or None if the client wants none of its holes filled."""

    def forget(self, room: RoomId) -> None:
        """Forget the floor, because the room's log begins anew or the user left the room."""


class EveryEntry:
    """The floors of a client that wants every entry of every room."""

    def of(self, room: RoomId, cursor: RoomCursor) -> Seq | None:
        return 1

    def forget(self, room: RoomId) -> None:
        pass


@define(eq=False)
class OpenRooms:
    """The floors of a client that reads the rooms which its user has opened.

    A room begins with its newest entries, and its floor is lowered when the user asks for older ones.
    """

    _floors: dict[RoomId, Seq | None] = field(factory=dict, init=False)
    """The open rooms. None stands for the newest page of a room that has no cursor yet."""

    def __contains__(self, room: RoomId) -> bool:
        return room in self._floors

    def open(self, room: RoomId, cursor: RoomCursor | None) -> None:
        self._floors.setdefault(room, None)
        if cursor:
            self.of(room, cursor)

    def of(self, room: RoomId, cursor: RoomCursor) -> Seq | None:
        if room not in self._floors:
            return None
        floor = self._floors[room]
        if floor is None:
            floor = self._floors[room] = max(cursor.seq - FIRST_PAGE + 1, 1)
        return floor

    def forget(self, room: RoomId) -> None:
        if room in self._floors:
            self._floors[room] = None

    def lower_to(self, room: RoomId, cursor: RoomCursor, seq: Seq) -> None:
        """Want the entries from ``seq`` on."""
        floor = self.of(room, cursor)
        if floor is not None:
            self._floors[room] = max(min(floor, seq), 1)

    def lower_by(self, room: RoomId, cursor: RoomCursor, count: int) -> None:
        """Want ``count`` more entries than the client has, or waits for, without a gap."""
        floor = self.of(room, cursor)
        if floor is not None:
            self.lower_to(room, cursor, min(floor, cursor.complete_from) - count)
