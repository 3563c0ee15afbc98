"""A store: the ports that one database implements together."""

from abc import abstractmethod
from types import TracebackType
from typing import Self

from .blocks import Blocks
from .entry_log import EntryLog
from .last_seen import LastSeen
from .markers import Markers
from .room_views import RoomViews


class Store(EntryLog, RoomViews, Markers, Blocks, LastSeen):
    """A database. Several Chats may enter a store: it opens with the first and closes with the last one."""

    epoch: str
    """The identity of the store's history, a random id that is set once the store is open.

    Another epoch means that logs may have been rewound.
    """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open the database. If the call is cancelled, close it again.

        Raises `StoreError`, with a sentence for the operator, if the database cannot be opened.
        """

    @abstractmethod
    async def probe(self) -> None:
        """Check that the store can write. Raises `Unavailable` if an entry could not be written now.

        The probe writes data that no read returns. It needs as much space as the largest entry, and frees that space.
        """

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the database, also if the leaving task is cancelled."""
