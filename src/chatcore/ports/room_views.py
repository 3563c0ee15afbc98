"""The port of a store for rooms as users see them. These views are projections of the logs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..domain.state import RoomView
from ..ids import RoomId, UserId


@frozen(kw_only=True)
class RoomPage:
    """A page of a user's rooms. ``next`` is the page token of the next page; None on the last page."""

    rooms: Sequence[RoomView]
    next: str | None


class RoomViews(ABC):
    """The views of rooms. Each method reads one snapshot in one round trip, and raises `Unavailable`."""

    @abstractmethod
    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        """Return up to ``limit`` rooms in which the user is a member or invited, newest last entry first.

        ``after`` is the ``next`` of a page. Raises `Invalid` (field ``after``) for a string that is no page token.
        """

    @abstractmethod
    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        """Return the room as each of ``users`` sees it, members or not; empty for a room without entries."""
