"""The contract suites of all ports of a store in one class."""

from collections.abc import AsyncGenerator

import pytest

from ..ports.store import Store
from .blocks import BlocksContract
from .entry_log import EntryLogContract
from .last_seen import LastSeenContract
from .markers import MarkersContract
from .room_histories import HistoriesContract
from .room_views import RoomViewsContract
from .store import StoreContract, Stores


class WholeStoreContract(
    EntryLogContract,
    RoomViewsContract,
    MarkersContract,
    BlocksContract,
    LastSeenContract,
    HistoriesContract,
    StoreContract,
):
    """Subclass it, with the fixtures ``stores`` and ``another`` of `StoreContract`; the other fixtures use these.

    Every test runs on each backend of the fixture ``anyio_backend``; override it for a store that runs on
    asyncio only.
    """

    @pytest.fixture
    async def store(self, stores: Stores) -> AsyncGenerator[Store]:
        async with stores() as store:
            yield store

    @pytest.fixture
    async def log(self, store: Store) -> Store:
        return store

    @pytest.fixture
    async def rooms(self, store: Store) -> Store:
        return store

    @pytest.fixture
    async def markers(self, store: Store) -> Store:
        return store
