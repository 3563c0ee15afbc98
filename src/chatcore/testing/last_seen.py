"""The contract suite of `LastSeen`."""

from datetime import UTC, timedelta, timezone
from functools import partial

import pytest

from ..ports.store import Store
from .builders import NOON
from .logs import ALMOST_EQUAL, HOSTILE_NAMES
from .tasks import at_once

SECOND = timedelta(seconds=1)
MANY = 500


@pytest.mark.anyio
class LastSeenContract:
    """Subclass it, with a fixture ``store``: an open and empty store."""

    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_user_who_was_never_seen_is_left_out(self, store: Store) -> None:
        await store.note_last_seen({"alice": NOON})
        for user in ("bob", *HOSTILE_NAMES):
            assert await store.last_seen([user]) == {}
        assert await store.last_seen(["bob", "alice"]) == {"alice": NOON}
        assert await store.last_seen([]) == {}

    async def test_last_seen_is_stored_unchanged_by_code_points(self, store: Store) -> None:
        times = {user: NOON + n * SECOND for n, user in enumerate((*ALMOST_EQUAL, *HOSTILE_NAMES))}
        times["alice"] = NOON + timedelta(milliseconds=1)
        await store.note_last_seen(times)
        assert await store.last_seen(list(times)) == times
        assert {at.tzinfo for at in (await store.last_seen(["alice"])).values()} == {UTC}

    async def test_earlier_last_seen_changes_nothing_and_a_later_one_counts(self, store: Store) -> None:
        await store.note_last_seen({"alice": NOON})
        await store.note_last_seen({"alice": NOON - SECOND, "bob": NOON})
        assert await store.last_seen(["alice", "bob"]) == {"alice": NOON, "bob": NOON}
        for _ in range(2):
            await store.note_last_seen({"alice": NOON + SECOND})
            assert await store.last_seen(["alice", "bob"]) == {"alice": NOON + SECOND, "bob": NOON}

    async def test_last_seen_in_another_time_zone_is_the_same_moment(self, store: Store) -> None:
        east = timezone(timedelta(hours=5))
        await store.note_last_seen({"alice": NOON.astimezone(east)})
        await store.note_last_seen({"alice": (NOON - SECOND).astimezone(timezone(-timedelta(hours=5)))})
        assert await store.last_seen(["alice"]) == {"alice": NOON}

    async def test_last_seen_of_no_users_changes_nothing(self, store: Store) -> None:
        await store.note_last_seen({"alice": NOON})
        await store.note_last_seen({})
        assert await store.last_seen(["alice"]) == {"alice": NOON}

    async def test_last_seen_of_many_users_is_noted_and_read_at_once(self, store: Store) -> None:
        times = {f"user {number}": NOON + number * SECOND for number in range(MANY)}
        await store.note_last_seen(times)
        assert await store.last_seen(list(times)) == times

    async def test_concurrent_notes_of_a_user_keep_the_latest(self, store: Store) -> None:
        times = [NOON + number * SECOND for number in (3, 9, 1, 7, 5)]
        await at_once([partial(store.note_last_seen, {"alice": at, "bob": at}) for at in times])
        assert await store.last_seen(["alice", "bob"]) == dict.fromkeys(("alice", "bob"), max(times))
