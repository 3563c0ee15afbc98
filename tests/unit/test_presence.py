"""Presence on one node: states, pushes, the last seen time, and who sees whom."""

import gc
import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from chatcore import (
    BanUser,
    BlockUser,
    Chat,
    GetPresence,
    Invalid,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    Profile,
    RemoveUser,
    SendMessage,
    SetPresence,
    UnblockUser,
    UserPresence,
)
from chatcore.domain.presence import GRACE_S, HIDDEN
from chatcore.errors import Unavailable
from chatcore.fault_log import reason
from chatcore.ids import UserId
from chatcore.live import departures, presence
from chatcore.live.change_poller import POLL_S
from chatcore.live.event_loop import current_time
from chatcore.testing import Recorder, virtual_time
from chatcore.testing.builders import NOON
from chatcore_memory import MemoryRegistry, MemoryStore
from tests.unit.presence_clients import PUSHED_S, Opened, group, opened, shown, states

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
MOMENT_S = 0.05
ASKED_S = PUSHED_S + 2 * presence.COALESCED_S
"""Seconds in which a change is pushed for which the registry is asked before."""
ONLINE, AWAY = UserPresence("online"), UserPresence("away")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


def clock() -> datetime:
    return NOON + timedelta(milliseconds=int(current_time() * 1000))


def offline(at: datetime) -> UserPresence:
    return UserPresence("offline", at)


class SeenStore(MemoryStore):
    """A store that counts the reads for presence, and fails or delays writes of when users were last seen."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.notes: list[Mapping[UserId, datetime]] = []
        self.fails = False
        self.slow_s = 0.0

    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        self.reads.append("fellow_members")
        shared = await super().fellow_members(user, others)
        await anyio.sleep(self.slow_s)
        return shared

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        self.notes.append(times)
        if self.fails:
            raise Unavailable
        await super().note_last_seen(times)

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        self.reads.append("last_seen")
        await anyio.sleep(self.slow_s)
        return await super().last_seen(users)


@pytest.fixture
def store() -> SeenStore:
    return SeenStore()


@pytest.fixture(params=["registry", "alone"])
async def chat(request: pytest.FixtureRequest, store: SeenStore) -> AsyncGenerator[Chat]:
    """A Chat with and without a registry, in which alice, bob and carol share a group."""
    registry = MemoryRegistry(current_time) if request.param == "registry" else None
    async with Chat(store, registry=registry, clock=clock) as chat:
        await group(chat, "alice", "bob", "carol")
        yield chat


def leftovers(chat: Chat) -> dict[str, Any]:
    """Return the collections of the Chat's presence that are not empty."""
    held = vars(chat._hub.presence) | vars(chat._hub.presence._departures)
    return {name: value for name, value in held.items() if isinstance(value, dict) and value and name != "_users"}


# States.


async def test_user_is_online_with_the_first_socket_and_offline_10_s_after_the_last(chat: Chat) -> None:
    alice = await opened(chat, "alice")
    assert await alice.watch("bob") == {"bob": "offline"}
    first, second = await opened(chat, "bob"), await opened(chat, "bob")
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("bob", "online")]
    await first.close()
    await anyio.sleep(GRACE_S + PUSHED_S)
    await second.close()
    ended = clock()
    await anyio.sleep(GRACE_S - MOMENT_S)
    assert alice.client.presence == [("bob", "online")]
    assert await shown(chat, "alice", "bob") == ONLINE
    await anyio.sleep(MOMENT_S + 2 * PUSHED_S)
    assert alice.client.presence == [("bob", "online"), ("bob", "offline")]
    assert alice.client.presence_pushes[-1].last_seen == ended
    assert await shown(chat, "alice", "bob") == offline(ended)
    await alice.close()


async def test_user_who_comes_back_within_10_s_is_online_throughout(chat: Chat) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    assert await alice.watch("bob") == {"bob": "online"}
    for _ in range(5):
        await bob.close()
        await anyio.sleep(GRACE_S - MOMENT_S)
        bob = await opened(chat, "bob")
        await anyio.sleep(1)
    await anyio.sleep(2 * GRACE_S)
    assert alice.client.presence == []
    await bob.close()
    await alice.close()


async def test_user_is_away_while_all_sockets_are(chat: Chat) -> None:
    alice, phone = await opened(chat, "alice"), await opened(chat, "bob")
    await alice.watch("bob")
    assert await phone.command("presence.set", state="away") == {"ok": True}
    await anyio.sleep(PUSHED_S)
    laptop = await opened(chat, "bob")
    await anyio.sleep(PUSHED_S)
    await laptop.command("presence.set", state="away")
    await anyio.sleep(PUSHED_S)
    await phone.command("presence.set", state="online")
    await anyio.sleep(PUSHED_S)
    assert [state for _, state in alice.client.presence] == ["away", "online", "away", "online"]
    await phone.close()
    await anyio.sleep(PUSHED_S)
    assert await shown(chat, "alice", "bob") == AWAY
    await laptop.close()
    await anyio.sleep(GRACE_S - MOMENT_S)
    assert await shown(chat, "alice", "bob") == AWAY
    again = await opened(chat, "bob")
    await anyio.sleep(PUSHED_S)
    assert [state for _, state in alice.client.presence[4:]] == ["away", "online"]
    for socket in (again, alice):
        await socket.close()


async def test_user_sees_the_own_presence(chat: Chat) -> None:
    bob = await opened(chat, "bob")
    assert await bob.watch("bob") == {"bob": "online"}
    assert await states(chat, "dave", "dave") == ["offline"]
    await bob.command("presence.set", state="away")
    await anyio.sleep(PUSHED_S)
    assert bob.client.presence == [("bob", "away")]
    await bob.close()


async def test_socket_that_gets_no_ready_is_not_online(store: SeenStore) -> None:
    async def fail(*_: Any) -> Any:
        raise Unavailable

    async with Chat(store, clock=clock) as chat:
        await group(chat, "alice", "bob")
        store.overview = fail  # type: ignore[assignment, method-assign]
        with pytest.raises(Unavailable):
            await opened(chat, "bob")
        assert await shown(chat, "alice", "bob") == HIDDEN
        assert not leftovers(chat)


async def test_presence_set_needs_a_socket(chat: Chat) -> None:
    with pytest.raises(Invalid):
        await chat.execute("bob", SetPresence(state="away"))


# Pushes.


async def test_changes_that_are_undone_within_a_moment_are_not_pushed(chat: Chat) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    await alice.watch("bob")
    for state in ("away", "online") * 100:
        await bob.command("presence.set", state=state)
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == []
    for _ in range(40):
        for state in ("away", "online", "away"):
            await bob.command("presence.set", state=state)
            await anyio.sleep(0.01)
    assert len(alice.client.presence) <= 1 + 40 * 0.03 / presence.COALESCED_S
    await bob.close()
    await alice.close()


async def test_new_set_replaces_the_former_one_and_an_empty_one_ends_it(chat: Chat) -> None:
    alice = await opened(chat, "alice")
    await alice.watch("bob", "bob", "carol")
    await alice.watch("carol")
    bob, carol = await opened(chat, "bob"), await opened(chat, "carol")
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("carol", "online")]
    assert await alice.watch() == {}
    await carol.command("presence.set", state="away")
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("carol", "online")]
    assert not chat._hub.presence.is_watched
    for socket in (alice, bob, carol):
        await socket.close()


async def test_only_sockets_that_watch_are_pushed_to(chat: Chat) -> None:
    watching, other = await opened(chat, "alice"), await opened(chat, "alice")
    await watching.watch("bob")
    await states(chat, "carol", "bob")
    bob = await opened(chat, "bob")
    await anyio.sleep(PUSHED_S)
    assert (watching.client.presence, other.client.presence) == ([("bob", "online")], [])
    for socket in (watching, other, bob):
        await socket.close()


async def test_change_during_the_command_follows_its_answer(chat: Chat, store: SeenStore) -> None:
    alice = await opened(chat, "alice")
    store.slow_s = 1
    answers: list[object] = []
    bobs: list[Opened] = []

    def take(answer: dict[str, Any]) -> None:
        answers.append((answer["presence"], list(alice.client.presence)))

    async def watch() -> None:
        await alice.socket.receive("presence", {"users": ["bob"]}, take)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await anyio.sleep(1.2)  # the time of bob is being read, who is offline
        bobs.append(await opened(chat, "bob"))
        await anyio.sleep(0.7)
        await bobs[0].command("presence.set", state="away")
    assert answers == [({"bob": {"state": "away"}}, [])]
    await bobs[0].command("presence.set", state="online")
    await anyio.sleep(ASKED_S + 2 * store.slow_s)
    assert alice.client.presence == [("bob", "online")]
    for socket in (alice, *bobs):
        await socket.close()


async def test_command_that_fails_leaves_the_former_set(chat: Chat, store: SeenStore) -> None:
    alice = await opened(chat, "alice")
    await alice.watch("bob")

    async def fail(*_: Any) -> Any:
        raise Unavailable

    store.fellow_members = fail  # type: ignore[assignment, method-assign]
    answer = await alice.command("presence", users=["carol"])
    assert answer["error"]["code"] == "unavailable"
    bob, carol = await opened(chat, "bob"), await opened(chat, "carol")
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("bob", "online")]
    for socket in (alice, bob, carol):
        await socket.close()


async def test_push_is_repeated_after_the_store_has_failed(chat: Chat, store: SeenStore) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    await alice.watch("bob", "carol")
    read = store.last_seen

    async def fail(_: Any) -> Any:
        raise Unavailable

    store.last_seen = fail  # type: ignore[assignment, method-assign]
    await bob.close()
    await anyio.sleep(GRACE_S + 1)
    carol = await opened(chat, "carol")
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("carol", "online")]
    store.last_seen = read  # type: ignore[method-assign]
    await anyio.sleep(2)
    assert alice.client.presence == [("carol", "online"), ("bob", "offline")]
    for socket in (alice, carol):
        await socket.close()


# Who sees whom.


async def test_strangers_unknown_users_and_blocked_users_are_equal(chat: Chat) -> None:
    bob = await opened(chat, "bob")
    answers = {await shown(chat, "dave", other) for other in ("bob", "carol", "ghost")}
    await chat.execute("bob", BlockUser(user="alice"))
    answers |= {await shown(chat, "alice", "bob"), await shown(chat, "bob", "alice")}
    assert answers == {HIDDEN}
    await bob.close()


@pytest.mark.parametrize(("blocker", "other"), [("alice", "bob"), ("bob", "alice")])
async def test_block_hides_and_unblock_shows_both_to_each_other(chat: Chat, blocker: str, other: str) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    await alice.watch("bob")
    await bob.watch("alice")
    await chat.execute(blocker, BlockUser(user=other))
    await anyio.sleep(PUSHED_S)
    assert (alice.client.presence, bob.client.presence) == ([("bob", "offline")], [("alice", "offline")])
    assert alice.client.presence_pushes[0].last_seen is None
    await bob.command("presence.set", state="away")
    await anyio.sleep(PUSHED_S)
    await chat.execute(blocker, UnblockUser(user=other))
    await anyio.sleep(ASKED_S)
    assert alice.client.presence[1:] == [("bob", "away")]
    assert bob.client.presence[1:] == [("alice", "online")]
    for socket in (alice, bob):
        await socket.close()


async def test_end_of_a_block_on_another_node_shows_within_30_s(chat: Chat, store: SeenStore) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    await chat.execute("bob", BlockUser(user="alice"))
    assert await alice.watch("bob") == {"bob": "offline"}
    await store.unblock("bob", "alice")
    await anyio.sleep(30)
    assert alice.client.presence == [("bob", "online")]
    for socket in (alice, bob):
        await socket.close()


async def test_block_during_a_read_is_not_overlooked(chat: Chat, store: SeenStore) -> None:
    alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
    await alice.watch("bob")
    store.slow_s = 1
    await chat.execute("alice", JoinRoom(room=await group(chat, "dave", "alice", key="2")))
    await anyio.sleep(0.5)
    blocks = store.blocks_among

    async def before(pairs: Any) -> Any:
        found = await blocks(pairs)
        await chat.execute("bob", BlockUser(user="alice"))
        store.blocks_among = blocks  # type: ignore[method-assign]
        return found

    store.blocks_among = before  # type: ignore[method-assign]
    await anyio.sleep(1)
    await bob.command("presence.set", state="away")
    await anyio.sleep(3)
    assert alice.client.presence == [("bob", "offline")]
    for socket in (alice, bob):
        await socket.close()


@pytest.mark.parametrize("ends", ["leaves", "removed", "banned", "watcher leaves"])
async def test_user_is_hidden_once_no_room_is_shared(chat: Chat, ends: str) -> None:
    room = await group(chat, "alice", "dave", key="2")
    alice, dave = await opened(chat, "alice"), await opened(chat, "dave")
    assert await alice.watch("dave") == {"dave": "online"}
    match ends:
        case "leaves":
            await chat.execute("dave", LeaveRoom(room=room))
        case "removed":
            await chat.execute("alice", RemoveUser(room=room, user="dave"))
        case "banned":
            await chat.execute("alice", BanUser(room=room, user="dave"))
        case _:
            await chat.execute("dave", LeaveRoom(room=room))
            await anyio.sleep(PUSHED_S)
    await anyio.sleep(PUSHED_S)
    assert alice.client.presence == [("dave", "offline")]
    assert alice.client.presence_pushes[0].last_seen is None
    await dave.command("presence.set", state="away")
    await anyio.sleep(PUSHED_S)
    assert len(alice.client.presence) == 1
    for socket in (alice, dave):
        await socket.close()


async def test_user_is_shown_once_a_room_is_shared_and_not_while_invited(chat: Chat) -> None:
    room = await group(chat, "alice", key="2")
    alice, dave = await opened(chat, "alice"), await opened(chat, "dave")
    assert await alice.watch("dave") == {"dave": "offline"}
    assert await dave.watch("alice") == {"alice": "offline"}
    await chat.execute("alice", InviteUser(room=room, user="dave"))
    await anyio.sleep(5)
    assert alice.client.presence == dave.client.presence == []
    await chat.execute("dave", JoinRoom(room=room))
    await anyio.sleep(ASKED_S)
    assert alice.client.presence == [("dave", "online")]
    assert dave.client.presence == [("alice", "online")]
    for socket in (alice, dave):
        await socket.close()


async def test_first_message_to_a_stranger_shows_both(chat: Chat) -> None:
    eve, dave = await opened(chat, "eve"), await opened(chat, "dave")
    await eve.watch("dave")
    await chat.execute("dave", SendMessage(to="eve", body="x", key="k"))
    await anyio.sleep(ASKED_S)
    assert eve.client.presence == [("dave", "online")]
    for socket in (eve, dave):
        await socket.close()


async def test_stranger_who_watches_costs_no_reads_when_states_change(chat: Chat, store: SeenStore) -> None:
    eve = await opened(chat, "eve")
    await eve.watch("bob", "carol")
    await anyio.sleep(2 * POLL_S)  # until the change poller has found the group
    store.reads.clear()
    for _ in range(5):
        bob = await opened(chat, "bob")
        await anyio.sleep(1)
        await bob.close()
        await anyio.sleep(GRACE_S + 2)
    assert (store.reads, eve.client.presence) == ([], [])
    await eve.close()


async def test_ids_are_canonical_and_impossible_ones_are_offline() -> None:
    async def directory(users: Collection[UserId]) -> Mapping[UserId, Profile]:
        return {user: Profile() for user in users}

    def canonical(user: UserId) -> UserId | None:
        return None if " " in user else user.lower()

    async with Chat(MemoryStore(), directory=directory, canonical=canonical) as chat:
        await group(chat, "alice", "bob")
        bob = await opened(chat, "BOB")
        answer = await chat.execute("Alice", GetPresence(users=["Bob", "bOB", "no body"]))
        assert answer.presence == {"bob": ONLINE, "no body": HIDDEN}
        await bob.close()


# Last seen.


async def test_last_seen_is_written_in_batches_and_never_goes_back(chat: Chat, store: SeenStore) -> None:
    for user in ("bob", "carol"):
        await (await opened(chat, user)).close()
    left = clock()
    await anyio.sleep(2)
    assert store.notes == [{"bob": left, "carol": left}]
    await store.note_last_seen({"bob": left + 60 * SECOND})
    await anyio.sleep(GRACE_S)
    assert await shown(chat, "alice", "bob") == offline(left + 60 * SECOND)
    assert await shown(chat, "alice", "carol") == offline(left)


async def test_last_seen_is_shown_while_the_store_fails_and_written_afterwards(chat: Chat, store: SeenStore) -> None:
    store.fails = True
    await (await opened(chat, "bob")).close()
    left = clock()
    await anyio.sleep(GRACE_S + 1)
    assert await shown(chat, "alice", "bob") == offline(left)
    assert await store.last_seen(["bob"]) == {}
    store.fails = False
    await anyio.sleep(2)
    assert await store.last_seen(["bob"]) == {"bob": left}
    assert store.notes == [{"bob": left}] * len(store.notes)


async def test_clean_stop_writes_when_connected_users_were_last_seen(store: SeenStore) -> None:
    async with AsyncExitStack() as left:
        async with Chat(store, clock=clock) as chat:
            await (await opened(chat, "bob")).close()
            await left.enter_async_context(chat.connect(Recorder(), user="carol"))
            await anyio.sleep(0.1)
        assert await store.last_seen(["bob", "carol"]) == {"bob": clock() - 0.1 * SECOND, "carol": clock()}
        await anyio.sleep(5)
    assert len(store.notes) == 1
    assert not leftovers(chat)


async def test_stop_with_a_store_that_fails_ends_and_is_logged(
    store: SeenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.fails = True
    async with Chat(store) as chat:
        await (await opened(chat, "bob")).close()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"presence not stored: users=1 reason={reason(Unavailable())}"
    ]


async def test_unwritten_times_are_bounded(store: SeenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departures, "UNSAVED_MAX", 3)
    store.fails = True
    async with Chat(store, clock=clock) as chat:
        for number in range(5):
            await (await opened(chat, f"user {number}")).close()
        store.fails = False
        await anyio.sleep(2)
        assert set(await store.last_seen([f"user {number}" for number in range(5)])) == {"user 2", "user 3", "user 4"}


# The cost, and what is left.


async def test_connects_without_watchers_read_nothing_and_leave_nothing(chat: Chat, store: SeenStore) -> None:
    store.reads.clear()
    for number in range(50):
        await (await opened(chat, f"user {number}")).close()
    assert (store.reads, store.notes) == ([], [])
    await anyio.sleep(GRACE_S + 2)
    assert [len(times) for times in store.notes] == [50]
    assert not leftovers(chat)


async def test_watches_leave_nothing_after_their_sockets(chat: Chat, store: SeenStore) -> None:
    users = [f"user {number}" for number in range(99)]
    await group(chat, "alice", *users, key="2")
    sockets = [await opened(chat, user) for user in ("alice", *users)]
    for socket in sockets:
        await socket.watch(*users, "stranger")
    store.slow_s = 1
    async with anyio.create_task_group() as tasks:
        for socket in sockets[::2]:
            tasks.start_soon(socket.command, "presence")
        await anyio.sleep(0.5)
        tasks.cancel_scope.cancel()
    for socket in sockets:
        await socket.close()
    await anyio.sleep(GRACE_S + 2)
    assert not leftovers(chat)


async def test_presence_switched_off_shows_everybody_offline_and_stores_nothing(store: SeenStore) -> None:
    async with Chat(store, presence=False, clock=clock) as chat:
        await group(chat, "alice", "bob")
        alice, bob = await opened(chat, "alice"), await opened(chat, "bob")
        assert alice.client.ready.features == ()
        assert await alice.watch("bob", "alice", "ghost") == {"bob": "offline", "alice": "offline", "ghost": "offline"}
        assert await bob.command("presence.set", state="away") == {"ok": True}
        await bob.close()
        await anyio.sleep(2 * GRACE_S)
        assert (alice.client.presence, store.notes, store.reads) == ([], [], [])
        assert not leftovers(chat)
        await alice.close()
    assert store.notes == []


async def test_ready_lists_presence_among_the_features(chat: Chat) -> None:
    alice = await opened(chat, "alice")
    assert alice.client.ready.features == ("presence",)
    await alice.close()


async def test_ended_watches_leave_no_reference_cycle() -> None:
    async with Chat(MemoryStore()) as chat:
        gc.collect()
        gc.disable()
        try:
            async with chat.connect(Recorder(), user="alice") as socket:
                for _ in range(3):
                    await socket.receive("presence", {"users": ["alice", "bob"]}, lambda _: None)
            await anyio.sleep(PUSHED_S)
            left = [type(left) for left in gc.get_objects()]
        finally:
            gc.enable()
        assert [left.count(kept) for kept in (presence.Watch, presence._Pair, presence._Watched)] == [0, 0, 0]
