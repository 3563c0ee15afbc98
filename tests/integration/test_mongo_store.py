"""The MongoDB store passes the contract suites of the store's ports."""

from collections.abc import AsyncGenerator, Generator

import pytest

from chatcore.testing.blocks import BlocksContract
from chatcore.testing.entry_feed import EntryFeedContract
from chatcore.testing.entry_log import EntryLogContract
from chatcore.testing.last_seen import LastSeenContract
from chatcore.testing.markers import MarkersContract
from chatcore.testing.room_histories import HistoriesContract, every_answer
from chatcore.testing.room_views import RoomViewsContract
from chatcore.testing.store import StoreContract, Stores
from chatcore_mongo import MongoStore, database

from .mongo_contracts import RecordedSuite
from .mongo_database import a_database, empty
from .mongo_plans import Commands


class MongoFixtures(RecordedSuite):
    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Triple the time limits, since the suites test answers and the machine may be busy."""
        monkeypatch.setattr(database, "DRIVER_TIMEOUT_S", 3 * database.DRIVER_TIMEOUT_S)
        monkeypatch.setattr(database, "CALL_TIMEOUT_S", 3 * database.CALL_TIMEOUT_S)

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def url(self, mongo_url: str) -> str:
        empty(mongo_url)
        return mongo_url

    @pytest.fixture
    async def store(self, url: str, mongo_commands: Commands) -> AsyncGenerator[MongoStore]:
        async with MongoStore(url, event_listeners=[mongo_commands]) as store:
            yield store

    @pytest.fixture
    async def log(self, store: MongoStore) -> MongoStore:
        return store

    @pytest.fixture
    async def rooms(self, store: MongoStore) -> MongoStore:
        return store

    @pytest.fixture
    async def markers(self, store: MongoStore) -> MongoStore:
        return store


class TestMongoLog(MongoFixtures, EntryLogContract): ...


class TestMongoRooms(MongoFixtures, RoomViewsContract): ...


class TestMongoMarkers(MongoFixtures, MarkersContract): ...


class TestMongoBlocks(MongoFixtures, BlocksContract): ...


class TestMongoLastSeen(MongoFixtures, LastSeenContract): ...


class TestMongoHistories(MongoFixtures, HistoriesContract):
    test_every_read_of_a_random_history_matches_the_model = every_answer(12)


class MongoStores(MongoFixtures):
    @pytest.fixture
    async def stores(self, url: str, mongo_commands: Commands) -> Stores:
        return lambda: MongoStore(url, event_listeners=[mongo_commands])


class TestMongoFeed(MongoStores, EntryFeedContract): ...


class TestMongoStore(MongoStores, StoreContract):
    @pytest.fixture
    def another(self, mongod: str) -> Generator[MongoStore]:
        with a_database(mongod) as url:
            yield MongoStore(url)
