"""Users are found by the start of their id or name."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from chatcore import BlockUser, Chat, FindPeople, Profile, Unavailable, UnblockUser
from chatcore.domain.names import search_form, search_forms
from chatcore.ids import UserId
from chatcore.protocol import answer_object
from chatcore.testing import virtual_time
from chatcore_memory import MemoryAccounts, MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


async def accounts(**names: str | None) -> MemoryAccounts:
    store = MemoryAccounts()
    for user, name in names.items():
        await store.create(user, "a hash", name)
    return store


async def found(chat: Chat, prefix: str, limit: int = 50, user: UserId = "asker") -> list[UserId]:
    return [person.user for person in (await chat.execute(user, FindPeople(prefix=prefix, limit=limit))).people]


@pytest.mark.parametrize("prefix", ["zo\u00eb", "ZO\u00cb", "Zoe\u0308", "\uff3a\uff4f\u00eb"])
async def test_case_and_width_of_the_prefix_make_no_difference(prefix: str) -> None:
    users = await accounts(alice="Zo\u00eb from the Caf\u00e9", bob=None)
    async with Chat(MemoryStore(), people=users.find) as chat:
        assert await found(chat, prefix) == ["alice"]


async def test_answer_has_the_name_if_there_is_one() -> None:
    users = await accounts(bob="Bobby", bo=None)
    async with Chat(MemoryStore(), people=users.find) as chat:
        answer = answer_object(await chat.execute("asker", FindPeople(prefix="b")))
        assert answer == {"people": [{"user": "bo"}, {"user": "bob", "name": "Bobby"}]}


async def test_user_who_blocks_is_not_found_by_the_blocked_user() -> None:
    users = await accounts(bob=None, bobby=None)
    async with Chat(MemoryStore(), people=users.find) as chat:
        await chat.execute("bob", BlockUser(user="asker"))
        assert await found(chat, "bob") == ["bobby"]
        assert await found(chat, "bob", user="carol") == ["bob", "bobby"]
        await chat.execute("asker", BlockUser(user="bobby"))
        assert await found(chat, "bob") == ["bobby"]
        await chat.execute("bob", UnblockUser(user="asker"))
        assert await found(chat, "bob") == ["bob", "bobby"]


async def test_users_who_block_take_no_place_of_others() -> None:
    users = await accounts(**{f"user{number:02}": None for number in range(30)})
    async with Chat(MemoryStore(), people=users.find) as chat:
        for number in range(20):
            await chat.execute(f"user{number:02}", BlockUser(user="asker"))
        assert await found(chat, "user", limit=3) == ["user20", "user21", "user22"]
        assert await found(chat, "user", limit=20) == [f"user{number}" for number in range(20, 30)]


async def test_search_looks_at_no_more_than_1600_users() -> None:
    asked: list[int] = []

    async def endless(prefix: str, limit: int) -> Mapping[UserId, Profile]:
        asked.append(limit)
        return {f"user{number}": Profile() for number in range(limit)}

    store = MemoryStore()
    for number in range(2_000):
        await store.block(f"user{number}", "asker", 1)
    async with Chat(store, people=endless) as chat:
        assert await found(chat, "user", limit=200) == []
    assert asked == [200, 400, 800, 1_600]


async def test_without_a_search_nobody_is_found() -> None:
    async with Chat(MemoryStore()) as chat:
        assert await found(chat, "a") == []


async def test_search_that_returns_more_than_asked_is_cut() -> None:
    async def generous(prefix: str, limit: int) -> Mapping[UserId, Profile]:
        return {f"user{number}": Profile() for number in range(9)}

    async with Chat(MemoryStore(), people=generous) as chat:
        assert await found(chat, "user", limit=2) == ["user0", "user1"]


async def test_search_that_fails_or_hangs_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    async def hanging(prefix: str, limit: int) -> Mapping[UserId, Profile]:
        await anyio.sleep(60)
        return {}

    async def failing(prefix: str, limit: int) -> Mapping[UserId, Profile]:
        raise ZeroDivisionError

    for people, logged in ((hanging, "the search took more than 2 s"), (failing, "ZeroDivisionError")):
        async with Chat(MemoryStore(), people=people) as chat:
            with pytest.raises(Unavailable):
                await found(chat, "a")
        assert f"user search failed: reason={logged}" in caplog.text


@pytest.mark.parametrize("text", ["", "Stra\u00dfe", "\u0130", "\ufb01", "\u1e9e", "\u03c2", "a\u0345\u0313"])
def test_search_form_is_idempotent(text: str) -> None:
    assert search_form(search_form(text)) == search_form(text)


def test_search_forms_are_of_id_and_name() -> None:
    assert search_forms("bob", "Robert") == ["bob", "robert"]
    assert search_forms("bob", "BOB") == search_forms("bob", None) == ["bob"]
