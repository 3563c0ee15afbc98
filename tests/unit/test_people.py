"""Unread totals, profiles, and closing every socket of a user."""

from collections.abc import Collection, Mapping
from typing import Any

import anyio
import pytest

from chatcore import (
    Bye,
    Chat,
    CreateRoom,
    Invalid,
    InviteUser,
    Mark,
    Profile,
    Profiles,
    SendMessage,
    Unavailable,
    Unread,
    UnreadTotal,
)
from chatcore.ids import UserId
from chatcore.ports.user_directory import UserDirectory
from chatcore.protocol import answer_object
from chatcore.testing import Recorder, virtual_time
from chatcore_memory import MemoryRegistry, MemoryStore

pytestmark = pytest.mark.anyio

ALICE = Profile(name="Alice", avatar="https://example.com/alice.png", data={"pronouns": "she"})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


async def directory(users: Collection[UserId]) -> Mapping[UserId, Profile]:
    known = {"alice": ALICE, "bob": Profile(), "ina": Profile(name="Ina"), "eve": Profile(name="Eve")}
    return {user: profile for user, profile in known.items() if user in users}


async def test_profiles_are_of_users_with_a_common_room_or_invitation() -> None:
    async with Chat(MemoryStore(), directory=directory, canonical=str.lower) as chat:
        room = (await chat.execute("alice", CreateRoom(kind="group", title="Cats", key="k1"))).room
        await chat.execute("alice", InviteUser(room=room, user="ina"))
        await chat.execute("bob", SendMessage(to="alice", body="hi", key="k2"))
        everyone = ["Alice", "bob", "ina", "eve", "ghost"]
        shown = {
            user: answer_object(await chat.execute(user, Profiles(users=everyone)))["profiles"]
            for user in ("alice", "ina", "bob", "eve")
        }
    alice = {"name": "Alice", "avatar": "https://example.com/alice.png", "data": {"pronouns": "she"}}
    assert shown == {
        "alice": {"alice": alice, "bob": {}, "ina": {"name": "Ina"}},
        "ina": {"alice": alice, "ina": {"name": "Ina"}},
        "bob": {"alice": alice, "bob": {}},
        "eve": {"eve": {"name": "Eve"}},
    }


async def test_profile_of_an_id_that_no_user_can_have_is_left_out() -> None:
    def canonical(user: str) -> str | None:
        return None if " " in user else user.lower()

    async with Chat(MemoryStore(), canonical=canonical) as chat:
        assert (await chat.execute("Alice", Profiles(users=["a b", "ALICE"]))).profiles == {"alice": Profile()}


async def test_without_a_directory_profiles_are_empty() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("bob", SendMessage(to="alice", body="hi", key="k"))
        found = await chat.execute("alice", Profiles(users=["bob", "eve", "alice", "bob"]))
        assert found.profiles == {"bob": Profile(), "alice": Profile()}


async def test_strangers_in_the_answer_of_a_directory_are_ignored() -> None:
    async def generous(_: Collection[UserId]) -> Mapping[UserId, Profile]:
        return {"alice": ALICE, "eve": Profile(name="Eve")}

    async with Chat(MemoryStore(), directory=generous) as chat:
        assert (await chat.execute("alice", Profiles(users=["alice", "bob"]))).profiles == {"alice": ALICE}


async def hangs(_: Collection[UserId]) -> Any:
    await anyio.sleep_forever()


async def returns_list(users: Collection[UserId]) -> Any:
    return list(users)


async def returns_none_for_unknown_users(users: Collection[UserId]) -> Any:
    return dict.fromkeys(users)


def is_not_async(users: Collection[UserId]) -> Any:
    return {user: Profile() for user in users}


async def raises(_: Collection[UserId]) -> Any:
    raise OSError("the host's database is away")


async def makes_wrong_profile(users: Collection[UserId]) -> Any:
    return {user: Profile(avatar="http://example.com/a.png") for user in users}


RETURN = "return {user: Profile()} with the users who exist"
DIRECTORY_FAULTS = {
    "hangs": (hangs, "the directory took more than 2 s remedy=answer sooner, or raise Unavailable"),
    "returns a list": (returns_list, f"the directory returned a list remedy={RETURN}"),
    "returns None for a user": (
        returns_none_for_unknown_users,
        f"the directory returned a NoneType for a user remedy={RETURN}",
    ),
    "is not async": (is_not_async, "the directory is not async remedy=write `async def directory(users)`"),
    "raises": (raises, "OSError: the host's database is away"),
    "makes a wrong profile": (makes_wrong_profile, "ValueError: avatar must be a URL that begins with https://"),
}


@pytest.mark.parametrize(("directory", "logged"), DIRECTORY_FAULTS.values(), ids=DIRECTORY_FAULTS.keys())
async def test_fault_of_a_directory_is_unavailable_and_logged_once(
    directory: UserDirectory, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Chat(MemoryStore(), directory=directory) as chat:
        for command in (Profiles(users=["alice"]), SendMessage(to="bob", body="hi", key="k1")):
            began = anyio.current_time()
            with pytest.raises(Unavailable, match="Users can't be looked up now"):
                await chat.execute("alice", command)
            assert anyio.current_time() - began == (2 if directory is hangs else 0)
    (record,) = caplog.records
    assert record.getMessage() == f"user directory failed: reason={logged}"


async def test_profiles_that_do_not_fit_are_named_and_asked_for_again() -> None:
    async def large(users: Collection[UserId]) -> Mapping[UserId, Profile]:
        return {user: Profile(data={"text": "x" * 8_000}) for user in users}

    async with Chat(MemoryStore(), directory=large) as chat:
        users = [f"user {number}" for number in range(99)]
        await chat.execute("alice", CreateRoom(kind="group", title="Cats", members=users, key="k"))
        found: dict[UserId, Profile] = {}
        rest, rounds = list(users), 0
        while rest:
            answer = await chat.execute("alice", Profiles(users=rest))
            found |= answer.profiles
            rest, rounds = list(answer.rest), rounds + 1
        assert (set(found), rounds) == (set(users), 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"avatar": "http://example.com/a.png"},
        {"avatar": "https://"},
        {"avatar": "javascript:alert(1)"},
        {"avatar": "https://example.com/a b"},
        {"avatar": "https://example.com/" + "x" * 481},
        {"avatar": 7},
        {"data": ["a list"]},
        {"data": {"text": "x" * 8_192}},
        {"name": "x" * 201},
        {"name": 7},
        {"name": "\ud800"},
    ],
    ids=str,
)
def test_profile_with_an_invalid_field_is_a_value_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(fields))} "):
        Profile(**fields)


def test_profiles_of_more_than_500_users_are_invalid() -> None:
    Profiles(users=["u"] * 500)
    with pytest.raises(Invalid) as refused:
        Profiles(users=["u"] * 501)
    assert refused.value.field == "users"


async def test_unread_counts_all_rooms_but_muted_ones() -> None:
    async with Chat(MemoryStore()) as chat:
        for number in range(3):
            for peer in ("alice", "carol", "dave"):
                await chat.execute(peer, SendMessage(to="bob", body="hi", key=f"k{number}"))
        assert await chat.execute("bob", Unread()) == UnreadTotal(rooms=3, messages=9)
        await chat.execute("bob", Mark(room="pvt-alice-bob", read=2))
        await chat.execute("bob", Mark(room="pvt-bob-carol", muted=True))
        assert await chat.execute("bob", Unread()) == UnreadTotal(rooms=2, messages=4)


async def test_close_sockets_ends_every_socket_of_a_user_on_all_nodes() -> None:
    store, registry = MemoryStore(), MemoryRegistry()
    phone, laptop, other = Recorder(), Recorder(), Recorder()
    async with (
        Chat(store, registry=registry, canonical=str.lower) as here,
        Chat(store, registry=registry) as there,
        here.connect(phone, user="bob", session="s1"),
        there.connect(laptop, user="bob"),
        here.connect(other, user="alice"),
    ):
        await here.close_sockets("Bob")
        assert phone.bye == Bye(code="signed_out")
        await laptop.until(lambda laptop: laptop.bye == Bye(code="signed_out"), within=11)
        assert other.bye is None


async def test_close_sockets_without_a_registry_ends_those_of_this_node() -> None:
    phone, laptop = Recorder(), Recorder()
    async with (
        Chat(MemoryStore()) as chat,
        chat.connect(phone, user="bob"),
        chat.connect(laptop, user="bob"),
    ):
        await chat.close_sockets("bob")
        assert phone.bye == laptop.bye == Bye(code="signed_out")


async def test_sockets_are_closed_also_while_canonical_fails() -> None:
    def canonical(user: str) -> str:
        if fails:
            raise OSError("the name service is away")
        return user

    fails = False
    phone, laptop = Recorder(), Recorder()
    async with (
        Chat(MemoryStore(), canonical=canonical) as chat,
        chat.connect(phone, user="bob", session="s"),
        chat.connect(laptop, user="bob"),
    ):
        fails = True
        await chat.close_session("bob", "s")
        assert phone.bye == Bye(code="signed_out")
        await chat.close_sockets("bob")
        assert laptop.bye == Bye(code="signed_out")
