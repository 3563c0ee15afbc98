"""How far users have read: what lies outside the logs because it is not part of the conversation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from ..domain.state import Marker
from ..ids import RoomId, UserId


class Markers(ABC):
    """Read and delivered positions."""

    @abstractmethod
    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        """The markers of those of ``users`` who are members of the room.

        Whoever the first entry names starts with both at 0, whoever joins later with both at the seq of the
        `Joined` entry. Raises `Unavailable`.
        """
