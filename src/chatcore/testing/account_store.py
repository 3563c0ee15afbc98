"""The contract suite of `AccountStore`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias, TypeVar

import pytest

from ..accounts import AccountStore, Rotation, Session
from ..domain.names import search_form
from ..errors import Conflict
from ..ports.user_directory import Profile
from .logs import ALMOST_EQUAL, HOSTILE_NAMES
from .tasks import at_once

PassTime: TypeAlias = Callable[[timedelta], Awaitable[None]]

CALLERS = 20
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

_Result = TypeVar("_Result")


async def call_at_once(call: Callable[[], Awaitable[_Result]]) -> list[_Result | Conflict]:
    """Run `CALLERS` calls at the same time. Returns their results and conflicts."""

    async def run() -> _Result | Conflict:
        try:
            return await call()
        except Conflict as conflict:
            return conflict

    return await at_once([run] * CALLERS)


def session_of(session_id: str = "s1", user: str = "bob", device: str = "phone") -> Session:
    return Session(id=session_id, user=user, device=device, generation=1)


@pytest.mark.anyio
class AccountStoreContract:
    """Subclass it, with the fixtures ``store``, an empty store, and ``pass_time``."""

    @pytest.fixture
    def store(self) -> AccountStore:
        raise NotImplementedError

    @pytest.fixture
    def pass_time(self) -> PassTime:
        """An async function that moves the store's clock by a timedelta. A negative timedelta sets the clock back."""
        raise NotImplementedError

    async def test_account_is_stored_as_it_was_created(self, store: AccountStore) -> None:
        await store.create("bob", "$hash$", "Bob 🙂 'Tables' --")
        assert await store.password_hash("bob") == "$hash$"
        assert await store.profiles(["bob"]) == {"bob": Profile(name="Bob 🙂 'Tables' --")}

    async def test_create_with_a_taken_name_is_conflict_and_changes_nothing(self, store: AccountStore) -> None:
        await store.create("bob", "$hash$", "Bob")
        with pytest.raises(Conflict):
            await store.create("bob", "$other$", "Robert")
        assert await store.password_hash("bob") == "$hash$"
        assert await store.profiles(["bob"]) == {"bob": Profile(name="Bob")}

    async def test_repeated_create_is_no_conflict_and_changes_nothing(self, store: AccountStore) -> None:
        """An adapter repeats the call when it does not know whether the first attempt was written."""
        for name in ("Bob", "Bob", "Robert"):
            await store.create("bob", "$hash$", name)
        assert await store.profiles(["bob"]) == {"bob": Profile(name="Bob")}

    async def test_concurrent_creates_of_a_name_succeed_once(self, store: AccountStore) -> None:
        hashes = (f"$hash{number}$" for number in range(CALLERS))
        outcomes = await call_at_once(lambda: store.create("bob", next(hashes), None))
        assert sum(outcome is None for outcome in outcomes) == 1

    async def test_user_ids_are_compared_by_code_points(self, store: AccountStore) -> None:
        for user in ALMOST_EQUAL:
            assert await store.password_hash(user) is None
            await store.create(user, f"$hash of {user}$", None)
        for user in ALMOST_EQUAL:
            assert await store.password_hash(user) == f"$hash of {user}$"
        assert set(await store.profiles(ALMOST_EQUAL)) == set(ALMOST_EQUAL)

    @pytest.mark.parametrize("user", HOSTILE_NAMES)
    async def test_every_valid_user_id_can_have_an_account(self, store: AccountStore, user: str) -> None:
        await store.create(user, "$hash$", user)
        await store.open_session(session_of(user=user, device=user), DAY)
        assert await store.password_hash(user) == "$hash$"
        assert await store.profiles([user]) == {user: Profile(name=user)}
        assert await store.session("s1") == session_of(user=user, device=user)

    async def test_password_hash_of_an_unknown_user_is_none(self, store: AccountStore) -> None:
        assert await store.password_hash("unknown") is None

    async def test_profiles_returns_users_with_an_account_alone(self, store: AccountStore) -> None:
        await store.create("bob", "$hash$", None)
        await store.create("alice", "$hash$", "Alice")
        asked = [f"user{number}" for number in range(500)] + ["alice", "bob", "bob"]
        assert await store.profiles(asked) == {"alice": Profile(name="Alice"), "bob": Profile()}
        assert await store.profiles([]) == {}

    async def test_find_returns_users_by_the_start_of_id_or_name(self, store: AccountStore) -> None:
        names = {
            "bob": "Robert",
            "bo": None,
            "alice": "bob's sister",
            "robin": "Bo",
            "carl": "\uff22\uff2f\uff22",
            "zoe": "Zoë",
        }
        for user, name in names.items():
            await store.create(user, "$hash$", name)
        found = await store.find("bo", 10)
        assert list(found) == ["bo", "robin", "bob", "carl", "alice"]
        assert found["robin"] == Profile(name="Bo")
        assert list(await store.find("rob", 10)) == ["bob", "robin"]
        assert list(await store.find("zoë", 10)) == ["zoe"]
        assert await store.find("ob", 10) == {}

    @pytest.mark.parametrize("limit", [1, 2, 5, 40])
    async def test_find_returns_each_user_once_and_at_most_the_limit(self, store: AccountStore, limit: int) -> None:
        for number in range(20):
            await store.create(f"user{number:02}", "$hash$", f"User{number:02}!")
        assert list(await store.find("user", limit)) == [f"user{number:02}" for number in range(20)][:limit]

    async def test_find_after_a_repeated_create_finds_the_first_name(self, store: AccountStore) -> None:
        for name in ("Bob", "Robert"):
            await store.create("user", "$hash$", name)
        assert list(await store.find("bob", 10)) == ["user"]
        assert await store.find("robert", 10) == {}

    @pytest.mark.parametrize("user", HOSTILE_NAMES)
    async def test_find_takes_every_name(self, store: AccountStore, user: str) -> None:
        await store.create("plain", "$hash$", None)
        await store.create(user, "$hash$", None)
        assert user in await store.find(search_form(user), 10)

    async def test_find_takes_every_character_after_the_prefix(self, store: AccountStore) -> None:
        await store.create("one", "$hash$", "a\U0010ffff")
        await store.create("two", "$hash$", "b")
        assert list(await store.find("a", 10)) == ["one"]
        assert list(await store.find("a\U0010ffff", 10)) == ["one"]
        assert await store.find("\U0010ffff", 10) == {}

    async def test_session_is_stored_as_it_was_opened(self, store: AccountStore) -> None:
        await store.open_session(session_of(device="Bob's 📱"), DAY)
        assert await store.session("s1") == session_of(device="Bob's 📱")

    async def test_user_can_have_several_sessions(self, store: AccountStore) -> None:
        await store.open_session(session_of("s1"), DAY)
        await store.open_session(session_of("s2"), DAY)
        await store.end_session("s1")
        assert await store.session("s2") == session_of("s2")

    async def test_unknown_session_is_none(self, store: AccountStore) -> None:
        assert await store.session("s1") is None
        assert await store.rotate("s1", 1, DAY) is None
        await store.end_session("s1")

    async def test_ended_session_is_none(self, store: AccountStore) -> None:
        await store.open_session(session_of(), DAY)
        await store.end_session("s1")
        await store.end_session("s1")
        assert await store.session("s1") is None
        assert await store.rotate("s1", 1, DAY) is None

    async def test_rotation_of_the_current_generation_starts_the_next(self, store: AccountStore) -> None:
        await store.open_session(session_of(), DAY)
        rotation = await store.rotate("s1", 1, DAY)
        assert rotation
        assert rotation.spent_for == timedelta(0)
        assert rotation.session == Session(id="s1", user="bob", device="phone", generation=2)
        assert await store.session("s1") == rotation.session

    async def test_spent_generation_changes_nothing_and_has_an_age(
        self, store: AccountStore, pass_time: PassTime
    ) -> None:
        await store.open_session(session_of(), DAY)
        first = await store.rotate("s1", 1, DAY)
        await pass_time(3 * SECOND)
        await store.rotate("s1", 2, DAY)
        await pass_time(4 * SECOND)
        assert first
        assert _age(await store.rotate("s1", 1, DAY), generation=3) == pytest.approx(7, abs=0.5)
        assert _age(await store.rotate("s1", 2, DAY), generation=3) == pytest.approx(4, abs=0.5)

    async def test_unknown_generation_changes_nothing_and_has_no_age(self, store: AccountStore) -> None:
        await store.open_session(session_of(), DAY)
        for generation in (0, 2, 3, 2**40):
            assert _age(await store.rotate("s1", generation, DAY), generation=1) is None

    async def test_spent_generation_has_no_age_after_the_clock_was_set_back(
        self, store: AccountStore, pass_time: PassTime
    ) -> None:
        await store.open_session(session_of(), DAY)
        await store.rotate("s1", 1, DAY)
        await pass_time(60 * SECOND)
        await pass_time(-3600 * SECOND)
        assert _age(await store.rotate("s1", 1, DAY), generation=2) is None
        assert _age(await store.rotate("s1", 2, DAY), generation=3) == 0

    async def test_rotation_leaves_other_sessions_of_the_user_unchanged(self, store: AccountStore) -> None:
        for session_id in ("s1", "s2"):
            await store.open_session(session_of(session_id), DAY)
        await store.rotate("s1", 1, DAY)
        assert await store.session("s2") == session_of("s2")
        assert _age(await store.rotate("s2", 1, DAY), generation=2) == 0

    async def test_concurrent_rotations_of_a_generation_change_the_session_once(self, store: AccountStore) -> None:
        await store.open_session(session_of(), DAY)
        outcomes = await call_at_once(lambda: store.rotate("s1", 1, DAY))
        ages = [_age(outcome, generation=2) for outcome in outcomes if not isinstance(outcome, Conflict)]
        assert ages == [pytest.approx(0, abs=1)] * CALLERS

    async def test_last_16_spent_generations_are_remembered(self, store: AccountStore) -> None:
        await store.open_session(session_of(), DAY)
        for generation in range(1, 41):
            await store.rotate("s1", generation, DAY)
        for generation in range(25, 41):
            assert _age(await store.rotate("s1", generation, DAY), generation=41) is not None

    async def test_session_ends_after_its_lifetime_without_a_rotation(
        self, store: AccountStore, pass_time: PassTime
    ) -> None:
        await store.open_session(session_of(), DAY)
        await pass_time(DAY - 10 * SECOND)
        assert await store.session("s1")
        await pass_time(20 * SECOND)
        assert await store.session("s1") is None
        assert await store.rotate("s1", 1, DAY) is None
        await store.end_session("s1")

    async def test_rotation_restarts_the_lifetime(self, store: AccountStore, pass_time: PassTime) -> None:
        await store.open_session(session_of(), DAY)
        await pass_time(DAY / 2)
        await store.rotate("s1", 1, 2 * DAY)
        await pass_time(1.5 * DAY)
        assert await store.session("s1")
        await pass_time(DAY)
        assert await store.session("s1") is None

    async def test_spent_generation_does_not_extend_the_lifetime(
        self, store: AccountStore, pass_time: PassTime
    ) -> None:
        await store.open_session(session_of(), DAY)
        await store.rotate("s1", 1, DAY)
        await pass_time(DAY / 2)
        await store.rotate("s1", 1, 10 * DAY)
        await pass_time(DAY)
        assert await store.session("s1") is None

    async def test_rotated_session_outlives_an_expired_session(self, store: AccountStore, pass_time: PassTime) -> None:
        await store.open_session(session_of("s1"), DAY)
        await store.open_session(session_of("s2"), DAY)
        await pass_time(DAY / 2)
        await store.rotate("s1", 1, DAY)
        await pass_time(DAY * 0.75)
        await store.open_session(session_of("s3"), DAY)
        assert await store.session("s1")
        assert await store.session("s2") is None
        assert await store.session("s3")


def _age(rotation: Rotation | None, *, generation: int) -> float | None:
    """The age of a spent generation in seconds, after a rotation that left the session at ``generation``."""
    assert rotation
    assert rotation.session.generation == generation
    return None if rotation.spent_for is None else rotation.spent_for.total_seconds()
