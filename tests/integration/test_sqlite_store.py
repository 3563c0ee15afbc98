"""The SQLite store passes the contract suites of the store's ports."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from chatcore.testing.blocks import BlocksContract
from chatcore.testing.builders import NOON, message
from chatcore.testing.entry_feed import EntryFeedContract
from chatcore.testing.entry_log import EntryLogContract
from chatcore.testing.last_seen import LastSeenContract
from chatcore.testing.markers import MarkersContract
from chatcore.testing.room_histories import HistoriesContract
from chatcore.testing.room_views import RoomViewsContract
from chatcore.testing.store import StoreContract, Stores
from chatcore_sqlite import SqliteStore


class SqliteFixtures:
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncGenerator[SqliteStore, None]:
        async with SqliteStore(tmp_path) as store:
            yield store

    @pytest.fixture
    async def log(self, store: SqliteStore) -> SqliteStore:
        return store

    @pytest.fixture
    async def rooms(self, store: SqliteStore) -> SqliteStore:
        return store

    @pytest.fixture
    async def markers(self, store: SqliteStore) -> SqliteStore:
        return store


class TestSqliteLog(SqliteFixtures, EntryLogContract): ...


class TestSqliteRooms(SqliteFixtures, RoomViewsContract): ...


class TestSqliteMarkers(SqliteFixtures, MarkersContract): ...


class TestSqliteBlocks(SqliteFixtures, BlocksContract): ...


class TestSqliteLastSeen(SqliteFixtures, LastSeenContract): ...


class TestSqliteHistories(SqliteFixtures, HistoriesContract): ...


class SqliteStores:
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> Stores:
        return lambda: SqliteStore(tmp_path / "one")


class TestSqliteFeed(SqliteStores, EntryFeedContract): ...


class TestSqliteStore(SqliteStores, StoreContract):
    @pytest.fixture
    async def another(self, tmp_path: Path) -> SqliteStore:
        return SqliteStore(tmp_path / "another")


@pytest.mark.anyio
async def test_entries_are_read_by_seq_if_their_times_go_back(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await store.append([message("room", seq, at=NOON - timedelta(hours=seq)) for seq in range(1, 6)])
        news = await store.read_on("room", 0, 10)
    assert [entry.seq for entry in news.entries] == [1, 2, 3, 4, 5]
