"""A store: the ports that one database serves together."""

from abc import abstractmethod
from types import TracebackType
from typing import Self

from .entry_log import EntryLog
from .markers import Markers
from .room_views import RoomViews


class Store(EntryLog, RoomViews, Markers):
    """A database. It may be entered by several Chats; it opens with the first and closes with the last."""

    epoch: str
    """A random id made with the store; another one says that logs may have been rewound. Set once it is open."""

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open the database; cancelled meanwhile, close it again.

        Raises `StoreError` with a sentence for the operator where that is impossible.
        """

    @abstractmethod
    async def probe(self) -> None:
        """Write something that nobody reads. Raises `Unavailable` where an entry could not be written now either.

        It needs as much space as the largest entry, and leaves none of it occupied.
        """

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the database, also where the task that leaves has been cancelled."""
