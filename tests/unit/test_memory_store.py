"""The memory store keeps the contracts of a store's ports."""

import pytest

from chatcore.testing.markers import MarkersContract
from chatcore.testing.room_log import RoomLogContract
from chatcore.testing.rooms import RoomsContract
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
