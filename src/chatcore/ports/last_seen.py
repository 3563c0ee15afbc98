"""The port of a store for the times at which users were last seen. They are not part of the logs."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime

from ..ids import UserId


class LastSeen(ABC):
    """When the last socket of each user ended, as far as nodes have noted it.

    A node notes the times of many users with one call, about once a second. The users of a node that is killed keep
    their former times. Every method raises `Unavailable` if the store cannot be reached or does not answer within
    2 seconds.
    """

    @abstractmethod
    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        """Keep the times of users, durably. A time that is earlier than the user's present one changes nothing.

        Each user's time is written atomically. After `Unavailable` any of them may have been written.
        """

    @abstractmethod
    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        """Return the times of ``users``, in UTC and in milliseconds, without users that have none."""
