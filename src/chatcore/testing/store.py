"""Tests of a `Store` beside its ports: opening, closing and the epoch."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import anyio
import pytest

from ..domain.state import Marker, MarkerUpdate
from ..ids import private_room_id
from ..ports.store import Store
from .builders import NOON, conversation, deleted, edited, joined, reacted
from .histories import marks_of
from .logs import everything, write
from .model import state_of
from .room_histories import check
from .tasks import at_once

HOUR = timedelta(hours=1)
Stores: TypeAlias = Callable[[], Store]


@pytest.mark.anyio
class StoreContract:
    """Subclass it, with fixtures ``stores`` and ``another``.

    ``stores`` is a function that returns a store of the same database each time, not yet entered. It is called
    after the previous store has been left. ``another`` is a store of another database.
    """

    @pytest.fixture
    async def stores(self) -> Stores:
        raise NotImplementedError

    @pytest.fixture
    async def another(self) -> Store:
        raise NotImplementedError

    async def test_epoch_is_constant_per_database_and_differs_between_databases(
        self, stores: Stores, another: Store
    ) -> None:
        epochs: list[str] = []
        for _ in range(3):
            async with stores() as store:
                epochs.append(store.epoch)
        async with another:
            epochs.append(another.epoch)
        assert epochs[0] == epochs[1] == epochs[2] != epochs[3]
        assert len(epochs[0]) >= 16

    async def test_probe_changes_nothing(self, stores: Stores) -> None:
        async with stores() as store:
            await write(store, conversation(count=3))
            epoch = store.epoch
            await store.probe()
            assert {change.room for change in (await store.changes(0, 10)).changes} == {"room"}
        async with stores() as store:
            assert store.epoch == epoch
            assert len(await everything(store, "room")) == 3

    async def test_reopened_store_has_what_was_written(self, stores: Stores) -> None:
        entries = [*conversation(count=3), joined("room", 4, "carol")]
        async with stores() as store:
            await write(store, entries)
            state = await store.state("room")
            page = await store.page("carol", None, 10)
            (newest,) = (await store.changes(None, 1)).changes
        async with stores() as store:
            assert await everything(store, "room") == entries
            assert await store.state("room") == state
            assert await store.page("carol", None, 10) == page
            assert await store.markers("room", ["carol"]) == {"carol": Marker(4, 4)}
            assert (await store.changes(None, 1)).changes == [newest]
            await write(store, conversation("next", 2))
            assert [change.room for change in (await store.changes(newest.position, 10)).changes][-1] == "next"

    async def test_reopened_store_has_the_same_messages_and_markers(self, stores: Stores) -> None:
        entries = [*conversation(count=6), edited(7, 1), edited(8, 3), reacted(9, "bob", target=3), deleted(10, 5)]
        marks = marks_of(entries)
        change = MarkerUpdate(read=4, unread_from=2, muted=True)
        marks.mark("bob", change, state_of(entries))
        async with stores() as store:
            await write(store, entries)
            await store.mark("bob", "room", change)
        async with stores() as store:
            await check(store, entries, marks)

    async def test_reopened_store_has_the_same_blocks(self, stores: Stores) -> None:
        async with stores() as store:
            for other in ("bob", "carol", "dave"):
                await store.block("alice", other, 10)
            await store.unblock("alice", "carol")
            position = (await store.new_blocks(None)).position
        async with stores() as store:
            assert await store.blocks("alice") == ["bob", "dave"]
            assert (await store.state(private_room_id("alice", "dave"))).blocked == frozenset({"dave"})
            await store.block("alice", "eve", 10)
            assert ("alice", "eve") in (await store.new_blocks(position)).pairs

    async def test_reopened_store_knows_when_users_were_last_seen(self, stores: Stores) -> None:
        async with stores() as store:
            await store.note_last_seen({"alice": NOON, "bob": NOON})
            await store.note_last_seen({"bob": NOON + HOUR})
        async with stores() as store:
            await store.note_last_seen({"bob": NOON})
            assert await store.last_seen(["alice", "bob", "carol"]) == {"alice": NOON, "bob": NOON + HOUR}

    async def test_store_is_open_until_its_last_user_leaves(self, stores: Stores) -> None:
        store = stores()
        async with store:
            async with store:
                await write(store, conversation(count=1))
            assert len(await everything(store, "room")) == 1
            async with store:
                assert len(await everything(store, "room")) == 1
            assert len(await everything(store, "room")) == 1
        async with store:
            assert len(await everything(store, "room")) == 1

    async def test_concurrent_enters_open_the_store_once(self, stores: Stores) -> None:
        store = stores()

        async def use(number: int) -> str:
            async with store:
                await write(store, conversation(f"room {number}", 2))
                return store.epoch

        assert len(set(await at_once([partial(use, number) for number in range(20)]))) == 1
        async with store:
            assert len(await store.memberships("alice")) == 20

    async def test_store_can_be_entered_and_left_in_different_tasks(self, stores: Stores) -> None:
        store = stores()
        entered, left = anyio.Event(), anyio.Event()

        async def enter() -> None:
            await store.__aenter__()
            entered.set()

        async def leave() -> None:
            await entered.wait()
            await write(store, conversation(count=1))
            await store.__aexit__(None, None, None)
            left.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            tasks.start_soon(enter)
        assert left.is_set()
        async with stores() as reopened:
            assert len(await everything(reopened, "room")) == 1
