"""How far users have read: what lies outside the logs because it is not part of the conversation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from ..domain.state import Marker, MarkerUpdate, RoomView
from ..ids import RoomId, UserId


class Markers(ABC):
    """Read and delivered positions."""

    @abstractmethod
    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        """The markers of those of ``users`` who are members of the room.

        Whoever the first entry names starts with both at 0, whoever joins later with both at the seq of the
        `Joined` entry. Raises `Unavailable`.
        """

    @abstractmethod
    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        """Apply a change to the user's marker, and give the room as they see it afterwards; None when it is unborn.

        Where the user is not a member, or a position of the change is above head, nothing is changed. Changes made at
        the same time are all applied, in some order. Raises `Unavailable`.
        """
