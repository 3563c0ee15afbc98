"""Rooms as their members see them in a list: views that can be rebuilt from the log."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..domain.state import RoomView
from ..ids import RoomId, UserId


@frozen(kw_only=True)
class RoomPage:
    """A page of a user's rooms, and the opaque cursor of the next page, None on the last one."""

    rooms: Sequence[RoomView]
    next: str | None


class RoomViews(ABC):
    """What lists of rooms show. Each method is one snapshot and one round trip; raises `Unavailable`."""

    @abstractmethod
    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        """Up to ``limit`` of the rooms in which the user is a member or invited, by last entry, newest first.

        ``after`` is a page's ``next``. Raises `Invalid` (field ``after``) for a string that no page gave.
        """

    @abstractmethod
    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        """The room as each of ``users`` sees it, whatever their standing; empty when the room is unborn."""
