"""The memory store keeps the contracts of a store's ports."""

import anyio
import pytest

from chatcore.testing.builders import message
from chatcore.testing.markers import MarkersContract
from chatcore.testing.room_log import RoomLogContract
from chatcore.testing.rooms import RoomsContract
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


class TestMemoryLog(MemoryFixtures, RoomLogContract): ...


class TestMemoryRooms(MemoryFixtures, RoomsContract): ...


class TestMemoryMarkers(MemoryFixtures, MarkersContract): ...


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def stores(self) -> Stores:
        """What lies in memory is the object's own: it is opened again, not made again."""
        store = MemoryStore()
        return lambda: store

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
