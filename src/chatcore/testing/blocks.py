"""The contract suite of `Blocks`."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import pytest

from ..domain.blocks import BlockedPair
from ..errors import Conflict
from ..ids import UserId, private_room_id
from ..ports.store import Store
from .builders import message, opens
from .logs import HOSTILE_NAMES, write
from .tasks import at_once

NAMES = ("bob", "Bob", "bo", "b\u00f6b", *HOSTILE_NAMES)


@pytest.mark.anyio
class BlocksContract:
    """Subclass it, with a fixture ``store``: an open and empty store."""

    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_blocks_of_a_user_are_sorted_and_no_others(self, store: Store) -> None:
        for other in reversed(NAMES):
            await store.block("alice", other, 1_000)
        await store.block("bob", "carol", 1_000)
        assert await store.blocks("alice") == sorted(NAMES)
        assert await store.blocks("bob") == ["carol"]
        for user in ("carol", *HOSTILE_NAMES):
            assert await store.blocks(user) == []

    @pytest.mark.parametrize("other", NAMES)
    async def test_block_repeated_changes_nothing_and_unblock_ends_it(self, store: Store, other: UserId) -> None:
        await store.unblock("alice", other)
        for _ in range(2):
            await store.block("alice", other, 1)
            assert await store.blocks("alice") == [other]
        for _ in range(2):
            await store.unblock("alice", other)
            assert await store.blocks("alice") == []

    async def test_block_above_the_limit_is_conflict_and_changes_nothing(self, store: Store) -> None:
        for other in ("bob", "carol"):
            await store.block("alice", other, 2)
        with pytest.raises(Conflict):
            await store.block("alice", "dave", 2)
        await store.block("alice", "carol", 2)
        assert await store.blocks("alice") == ["bob", "carol"]
        await store.unblock("alice", "bob")
        await store.block("alice", "dave", 2)
        assert await store.blocks("alice") == ["carol", "dave"]

    async def test_concurrent_blocks_stay_within_the_limit(self, store: Store) -> None:
        async def block(other: UserId) -> None:
            with suppress(Conflict):
                await store.block("alice", other, 3)

        await at_once([partial(block, f"user {number}") for number in range(9)])
        assert len(await store.blocks("alice")) <= 3

    async def test_blocks_among_pairs_have_a_direction(self, store: Store) -> None:
        pairs: list[BlockedPair] = [("alice", name) for name in NAMES]
        for pair in pairs[::2]:
            await store.block(*pair, 1_000)
        backwards = [(other, user) for user, other in pairs]
        assert await store.blocks_among([*pairs, *backwards]) == frozenset(pairs[::2])
        assert await store.blocks_among([]) == frozenset()
        await store.unblock(*pairs[0])
        assert await store.blocks_among(pairs[:1]) == frozenset()

    async def test_blocks_among_a_thousand_pairs_are_found(self, store: Store) -> None:
        """As many are asked for when a user begins to type in a large room."""
        users = [f"user {number}" for number in range(500)]
        made: list[BlockedPair] = [("alice", users[7]), (users[7], "alice"), (users[499], "alice")]
        for pair in [*made, ("alice", "elsewhere"), (users[1], users[2])]:
            await store.block(*pair, 1_000)
        pairs = [*(("alice", user) for user in users), *((user, "alice") for user in users)]
        assert await store.blocks_among(pairs) == frozenset(made)

    @pytest.mark.parametrize("other", ["bob", *HOSTILE_NAMES])
    async def test_state_of_a_private_room_has_its_blocks(self, store: Store, other: UserId) -> None:
        room = private_room_id("alice", other)
        await store.block("alice", other, 1_000)
        assert (await store.state(room)).blocked == {other}
        await write(store, [message(room, opens=opens("alice", other))])
        await store.block(other, "alice", 1_000)
        await store.block("alice", "carol", 1_000)
        state = await store.state(room)
        assert (state.head, state.blocked) == (1, frozenset({"alice", other}))
        await store.unblock("alice", other)
        assert (await store.state(room)).blocked == {"alice"}

    async def test_state_of_other_rooms_has_no_blocks(self, store: Store) -> None:
        await store.block("alice", "bob", 1_000)
        await store.block("alice", "alice", 1_000)
        for room in ("room", private_room_id("alice", "carol"), private_room_id("alice", "alice")):
            await write(store, [message(room)])
            assert (await store.state(room)).blocked == frozenset()

    async def test_new_blocks_reports_every_block_after_a_position(self, store: Store) -> None:
        await store.block("alice", "bob", 1_000)
        start = await store.new_blocks(None)
        assert start.pairs == []
        await store.block("alice", "carol", 1_000)
        await store.block("bob", "alice", 1_000)
        await store.block("bob", "carol", 1_000)
        await store.unblock("bob", "carol")
        assert {("alice", "carol"), ("bob", "alice")} <= await _new(store, start.position)
        after = (await store.new_blocks(start.position)).position
        await store.block("carol", "alice", 1_000)
        assert ("carol", "alice") in await _new(store, after)
        assert ("bob", "carol") not in await _new(store, start.position)

    async def test_new_blocks_of_a_store_without_blocks_start_before_the_first(self, store: Store) -> None:
        start = await store.new_blocks(None)
        assert start.pairs == []
        await store.block("alice", "bob", 1_000)
        assert ("alice", "bob") in await _new(store, start.position)

    async def test_concurrent_blocks_and_unblocks_of_several_users_are_all_applied(self, store: Store) -> None:
        users = [f"user {number}" for number in range(8)]
        calls = [partial(store.block, user, other, 1_000) for user in users for other in users if user != other]
        await at_once(calls)
        for user in users:
            assert await store.blocks(user) == _others(users, user)
        await at_once([partial(store.unblock, user, users[0]) for user in users[1:]])
        for user in users[1:]:
            assert await store.blocks(user) == _others(users[1:], user)


async def _new(store: Store, after: int) -> set[BlockedPair]:
    return set((await store.new_blocks(after)).pairs)


def _others(users: Sequence[UserId], user: UserId) -> list[UserId]:
    return sorted(other for other in users if other != user)
