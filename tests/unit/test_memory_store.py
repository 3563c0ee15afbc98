"""The memory store keeps the contracts of a store's ports."""

import anyio
import pytest

from chatcore.testing.builders import message
from chatcore.testing.entry_feed import EntryFeedContract
from chatcore.testing.entry_log import EntryLogContract
from chatcore.testing.markers import MarkersContract
from chatcore.testing.room_histories import HistoriesContract
from chatcore.testing.room_views import RoomViewsContract
from chatcore.testing.store import StoreContract, Stores
from chatcore_memory import MemoryStore


class MemoryFixtures:
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def log(self, store: MemoryStore) -> MemoryStore:
        return store

    @pytest.fixture
    def rooms(self, store: MemoryStore) -> MemoryStore:
        return store

    @pytest.fixture
    def markers(self, store: MemoryStore) -> MemoryStore:
        return store


class TestMemoryLog(MemoryFixtures, EntryLogContract): ...


class TestMemoryRooms(MemoryFixtures, RoomViewsContract): ...


class TestMemoryMarkers(MemoryFixtures, MarkersContract): ...


class TestMemoryHistories(MemoryFixtures, HistoriesContract): ...


class MemoryStores:
    @pytest.fixture
    def stores(self) -> Stores:
        """What lies in memory is the object's own: it is opened again, not made again."""
        store = MemoryStore()
        return lambda: store


class TestMemoryFeed(MemoryStores, EntryFeedContract): ...


class TestMemoryStore(MemoryStores, StoreContract):
    @pytest.fixture
    def another(self) -> MemoryStore:
        return MemoryStore()


@pytest.mark.anyio
async def test_two_who_read_the_same_head_meet_at_the_append() -> None:
    store = MemoryStore()
    heads: list[int] = []
    written: list[int] = []

    async def decide(author: str) -> None:
        head = (await store.state("room")).head
        heads.append(head)
        written.append((await store.append([message("room", head + 1, author)])).written)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decide, "alice")
        tasks.start_soon(decide, "bob")
    assert (heads, sorted(written)) == ([0, 0], [0, 1])


@pytest.mark.anyio
async def test_reading_rooms_that_are_unborn_leaves_nothing_behind() -> None:
    store = MemoryStore()
    for number in range(100):
        room = f"unborn {number}"
        await store.state(room)
        await store.read_on(room, 0, 10)
        await store.window("alice", room, "newest", 10, 10)
        await store.catch_up("alice", {room: 0}, 10, 10)
        await store.markers(room, ["alice"])
        await store.append([message(room, 2)])
    assert not store._logs
    assert not store._projections
    assert not store._rooms_of
