"""Frequent commands take a fixed number of round trips to the store for any number of rooms."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from chatcore import Chat, CreateRoom, Cursor, ListRooms, Sync
from chatcore.ports.store import Store
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore
from tests.unit.outer_calls import carry_out, is_outer

pytestmark = pytest.mark.anyio

METHODS = Store.__abstractmethods__ - {"__aenter__", "__aexit__"} | {"append_all"}
ROOMS = 1_000


class CountingStore(MemoryStore):
    """A memory store that records the calls of the ports' methods from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        attribute: Callable[..., Any] = super().__getattribute__(name)
        if name not in METHODS or not is_outer():
            return attribute

        def call(*args: Any, **options: Any) -> Awaitable[Any]:
            self.calls.append(name)
            return carry_out(partial(attribute, *args, **options))

        return call


@pytest.fixture
async def store() -> CountingStore:
    """Return a store with 1,000 rooms of mia."""
    store = CountingStore()
    async with Chat(store) as chat:
        for number in range(ROOMS):
            command = CreateRoom(kind="group", title="Tea", members=["mia"], key=str(number))
            await chat.execute("olga", command)
    return store


async def test_page_of_rooms_with_unread_counts_is_one_round_trip(store: CountingStore) -> None:
    async with Chat(store) as chat:
        store.calls.clear()
        page = await chat.execute("mia", ListRooms(limit=200))
        assert len(page.rooms) == 200
        assert store.calls == ["page"]


async def test_sync_of_500_rooms_is_one_round_trip(store: CountingStore) -> None:
    async with Chat(store) as chat:
        rooms = [row.room for row in await store.memberships("mia")][:500]
        store.calls.clear()
        synced = await chat.execute("mia", Sync(cursors={room: Cursor(seq=0) for room in rooms}))
        assert len(synced.rooms) == 500
        assert store.calls == ["catch_up"]


async def test_connect_with_1000_rooms_takes_at_most_three_round_trips(store: CountingStore) -> None:
    async with Chat(store) as chat:
        store.calls.clear()
        recorder = Recorder()
        async with chat.connect(recorder, user="mia"):
            assert len(recorder.ready.rooms) == 50
            assert 1 <= len(store.calls) <= 3


async def test_send_in_a_subscribed_room_is_one_round_trip(store: CountingStore) -> None:
    async with Chat(store) as chat:
        room = (await store.memberships("mia"))[0].room
        async with chat.connect(Recorder(), user="mia") as socket:
            await socket.receive("message.send", {"room": room, "body": "one", "key": "1"})
            await socket.receive("rooms", {})
            store.calls.clear()
            await socket.receive("message.send", {"room": room, "body": "two", "key": "2"})
            await socket.receive("presence", {})
            await socket.receive("rooms", {})
        assert store.calls == ["append_all", "page"]
