"""The contract suites of a store on the memory store."""

from collections.abc import Sequence

import anyio
import pytest

from chatcore.domain.entries import Entry
from chatcore.errors import Unavailable
from chatcore.ports.entry_log import AppendResult
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
        """Return the same object each time, because it holds its data in memory."""
        store = MemoryStore()
        return lambda: store


class TestMemoryFeed(MemoryStores, EntryFeedContract): ...


class TestMemoryStore(MemoryStores, StoreContract):
    @pytest.fixture
    def another(self) -> MemoryStore:
        return MemoryStore()


@pytest.mark.anyio
async def test_concurrent_appends_at_one_head_write_one_entry() -> None:
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
async def test_reads_of_unborn_rooms_leave_no_memory() -> None:
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


@pytest.mark.anyio
async def test_class_that_overrides_append_alone_is_asked_for_each_append() -> None:
    """The inherited `append_all` does not pass it by."""

    class Refusing(MemoryStore):
        async def append(self, entries: Sequence[Entry]) -> AppendResult:
            raise Unavailable

    refused = await Refusing().append_all([[message("r1")], [message("r2")]])
    assert [type(outcome) for outcome in refused] == [Unavailable] * 2
