"""The port of a store for markers, which are not part of the logs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from ..domain.state import Marker, MarkerUpdate, RoomView
from ..ids import RoomId, UserId


class Markers(ABC):
    """The markers of all users in all rooms."""

    @abstractmethod
    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        """Return the markers of those of ``users`` who are members of the room. Raises `Unavailable`.

        The marker of a first member starts with both positions at 0. The marker of a user who joins later starts with
        both positions at the seq of the `Joined` entry.
        """

    @abstractmethod
    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        """Apply an update to the user's marker, and return the room as the user sees it then. Raises `Unavailable`.

        Returns None for a room without entries. Changes nothing if the user is not a member, or if a position of the
        update is above head. Concurrent updates are all applied, in any order.
        """
