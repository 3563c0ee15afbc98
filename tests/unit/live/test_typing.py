"""Who is shown to whom as typing, when it ends, and what it costs."""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import pytest

from chatcore import (
    BlockUser,
    Chat,
    CreateRoom,
    Entry,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    NotFound,
    RemoveUser,
    SendMessage,
    SetTyping,
    Socket,
    Unavailable,
    UnblockUser,
)
from chatcore.domain.blocks import BlockedPair
from chatcore.ids import UserId
from chatcore.live.change_poller import POLL_S
from chatcore.live.typing import (
    IDLE_MAX,
    INTERVAL_S,
    KNOWN_MAX,
    KNOWN_S,
    PAIRS_MAX,
    SOCKET_ROOMS_MAX,
    TYPING_S,
    TYPISTS_MAX,
)
from chatcore.ports.bus import TypingHint
from chatcore.ports.pushes import Push, TypingPush
from chatcore.testing import Recorder
from chatcore.testing.builders import opened as message_opening
from chatcore.testing.builders import opens
from chatcore_memory import MemoryBus, MemoryStore
from tests.unit.live.nodes import HeldBus, HeldStore

pytestmark = pytest.mark.anyio

PRIVATE = "pvt-alice-bob"
LARGE = "room-" + "l" * 26
SOON = 0.01
OK = {"ok": True}
NOT_FOUND = "not_found"

Word = tuple[str, Sequence[UserId]]


class TypingRecorder(Recorder):
    """A recorder of the pushes `typing`, with their times."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[tuple[float, Sequence[UserId]]] = []
        self.last: dict[str, Sequence[UserId]] = {}

    def send(self, push: Push) -> None:
        super().send(push)
        if isinstance(push.body, TypingPush):
            self.words.append((anyio.current_time(), push.body.users))
            self.last[push.body.room] = push.body.users

    @property
    def shown(self) -> list[list[UserId]]:
        return [list(users) for _, users in self.words]


class AskedStore(HeldStore):
    """A store that notes the pairs of each `blocks_among`, and can be unavailable to it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.is_down = False

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        self.asked.append(len(pairs))
        if self.is_down:
            raise Unavailable
        return await super().blocks_among(pairs)


class Room:
    """A room whose users are connected, each with one socket."""

    def __init__(self, chat: Chat, room: str) -> None:
        self.chat = chat
        self.room = room
        self.recorders: dict[UserId, TypingRecorder] = {}
        self.sockets: dict[UserId, Socket] = {}

    async def say(self, user: UserId, *, on: bool = True, room: str | None = None) -> Any:
        answers: list[Any] = []
        await self.sockets[user].receive("typing", {"room": room or self.room, "on": on}, answers.append)
        (answer,) = answers
        return answer if answer["ok"] else answer["error"]["code"]

    def shown(self, user: UserId) -> list[list[UserId]]:
        return self.recorders[user].shown

    async def send(self, user: UserId, key: str = "k") -> None:
        await self.chat.execute(user, SendMessage(room=self.room, body="x", key=key))


async def group(chat: Chat, users: Sequence[UserId], key: str = "group") -> str:
    created = await chat.execute(users[0], CreateRoom(kind="group", title="T", members=list(users[1:]), key=key))
    return created.room


@asynccontextmanager
async def connected(chat: Chat, room: str, users: Iterable[UserId]) -> AsyncGenerator[Room]:
    async with AsyncExitStack() as stack:
        here = Room(chat, room)
        for user in users:
            here.recorders[user] = TypingRecorder()
            here.sockets[user] = await stack.enter_async_context(chat.connect(here.recorders[user], user=user))
        yield here


@asynccontextmanager
async def opened(*users: UserId, store: MemoryStore | None = None) -> AsyncGenerator[Room]:
    """Open a Chat with a group of ``users``, who are connected."""
    async with Chat(store or MemoryStore()) as chat:
        room = await group(chat, users)
        async with connected(chat, room, users) as here:
            yield here


def left_behind(chat: Chat) -> list[object]:
    typing = chat._hub.typing
    return [*typing.rooms, *typing.sockets, *typing._idle, *typing._rooms_of, *typing._queue]


# Who is shown to whom.


async def test_typing_is_pushed_to_other_members_at_once_and_not_to_oneself() -> None:
    async with opened("alice", "bob", "carol") as room, room.chat.connect(TypingRecorder(), user="alice") as other:
        laptop = other._live.connection._connection  # type: ignore[attr-defined]
        assert await room.say("alice") == OK
        await anyio.sleep(SOON)
        assert room.shown("bob") == room.shown("carol") == [["alice"]]
        assert room.shown("alice") == laptop.shown == []


async def test_repeated_typing_is_not_pushed_again() -> None:
    async with opened("alice", "bob") as room:
        for _ in range(5):
            await room.say("alice")
            await anyio.sleep(3)
        assert room.shown("bob") == [["alice"]]


async def test_receivers_of_the_same_list_get_the_same_push() -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.say("alice")
        await anyio.sleep(SOON)
        first, second = (room.recorders[user].pushes[-1] for user in ("bob", "carol"))
        assert first is second


async def test_at_most_five_are_shown_those_who_began_first() -> None:
    users = [f"u{number}" for number in range(9)]
    async with opened("alice", *users) as room:
        for user in users[:7]:
            await room.say(user)
            await anyio.sleep(SOON)
        await anyio.sleep(1)
        assert room.shown("alice")[-1] == users[:5]
        assert room.shown("u1")[-1] == ["u0", "u2", "u3", "u4", "u5"]
        assert max(len(shown) for recorder in room.recorders.values() for shown in recorder.shown) == 5
        await room.say("u0", on=False)
        await anyio.sleep(1)
        assert room.shown("alice")[-1] == users[1:6]


async def test_typists_above_the_most_count_once_a_place_is_free() -> None:
    users = [f"u{number}" for number in range(TYPISTS_MAX + 1)]
    async with opened("alice", *users) as room:
        for user in users:
            assert await room.say(user) == OK
        typists = room.chat._hub.typing.rooms[room.room].typists
        assert list(typists) == users[:-1]
        await room.say(users[0], on=False)
        await room.say(users[-1])
        assert list(typists) == users[1:]


@pytest.mark.parametrize("rank", ["stranger", "invited", "left", "removed"])
async def test_who_is_not_a_member_gets_not_found_as_for_an_unborn_room(rank: str) -> None:
    async with opened("alice", "bob") as room, connected(room.chat, room.room, ["carol"]) as carol:
        if rank != "stranger":
            await room.chat.execute("alice", InviteUser(room=room.room, user="carol"))
        if rank in ("left", "removed"):
            await room.chat.execute("carol", JoinRoom(room=room.room))
            user = "carol" if rank == "left" else "alice"
            command: Any = LeaveRoom(room=room.room) if rank == "left" else RemoveUser(room=room.room, user="carol")
            await room.chat.execute(user, command)
        for asked in (room.room, PRIVATE, "room-" + "a" * 26, "no room"):
            assert await carol.say("carol", room=asked) == NOT_FOUND
            assert await carol.say("carol", room=asked, on=False) == NOT_FOUND
        await anyio.sleep(1)
        assert room.shown("bob") == carol.shown("carol") == []
        await room.say("alice")
        await anyio.sleep(1)
        assert (room.shown("bob"), carol.shown("carol")) == ([["alice"]], [])


async def test_host_may_say_that_a_member_types_without_a_socket() -> None:
    async with opened("alice", "bob") as room:
        await room.chat.execute("alice", SetTyping(room=room.room, on=True))
        await anyio.sleep(SOON)
        await room.chat.execute("alice", SetTyping(room=room.room, on=False))
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"], []]
        with pytest.raises(NotFound):
            await room.chat.execute("carol", SetTyping(room=room.room, on=True))


async def test_typing_of_a_member_with_a_subscription_does_not_ask_for_the_membership() -> None:
    store = HeldStore()
    async with opened("alice", "bob", store=store) as room:
        store.calls.clear()
        await room.say("alice")
        assert store.calls == []
        await room.chat.execute("alice", SetTyping(room=room.room, on=True))
        assert store.calls == ["memberships"]


# How it ends.


async def test_typing_ends_6_s_after_the_last_on() -> None:
    async with opened("alice", "bob") as room:
        began = anyio.current_time()
        await room.say("alice")
        await anyio.sleep(4)
        await room.say("alice")
        await anyio.sleep(TYPING_S + 1)
        (first, _), (last, _) = room.recorders["bob"].words
        assert room.shown("bob") == [["alice"], []]
        assert first - began == pytest.approx(0, abs=0.1)
        assert last - began == pytest.approx(4 + TYPING_S, abs=0.1)


async def test_typing_ends_with_off() -> None:
    async with opened("alice", "bob") as room:
        await room.say("alice")
        await anyio.sleep(1)
        assert await room.say("alice", on=False) == OK
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice"], []]


async def test_off_of_a_socket_that_did_not_say_it_last_changes_nothing() -> None:
    async with opened("alice", "bob") as room, connected(room.chat, room.room, ["alice"]) as laptop:
        await laptop.say("alice")
        await room.say("alice")
        assert await laptop.say("alice", on=False) == OK
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]
        await room.say("alice", on=False)
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice"], []]


async def test_typing_ends_with_a_message_of_the_user_over_whatever_way() -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.say("alice")
        await room.say("carol")
        await anyio.sleep(1)
        await room.send("alice")
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice", "carol"], ["carol"]]
        bob = room.recorders["bob"]
        last = [push for push in bob.pushes if isinstance(push.body, Entry | TypingPush)][-2:]
        assert [push.event for push in last] == ["entry", "typing"]


@pytest.mark.parametrize("off_first", [False, True])
async def test_typing_right_after_a_message_is_pushed_again(off_first: bool) -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.say("alice")
        await anyio.sleep(SOON)
        if off_first:
            await room.say("alice", on=False)
        await room.send("alice")
        await room.send("carol")
        await room.say("alice")
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"], ["alice"]]
        await room.say("carol")
        await anyio.sleep(1)
        assert room.shown("alice") == [["carol"]]
        assert room.shown("bob") == [["alice"], ["alice"], ["alice", "carol"]]


async def test_message_in_another_room_does_not_end_typing() -> None:
    async with opened("alice", "bob") as room:
        await room.say("alice")
        await anyio.sleep(1)
        await room.chat.execute("alice", SendMessage(to="bob", body="x", key="k"))
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]


async def test_typing_ends_with_the_socket_that_said_it() -> None:
    async with opened("alice", "bob") as room:
        async with connected(room.chat, room.room, ["alice"]) as laptop:
            await laptop.say("alice")
            await anyio.sleep(1)
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice"], []]


async def test_end_of_another_socket_of_the_user_does_not_end_typing() -> None:
    async with opened("alice", "bob") as room:
        async with connected(room.chat, room.room, ["alice"]) as laptop:
            await laptop.say("alice")
            await room.say("alice")
            await anyio.sleep(1)
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]


@pytest.mark.parametrize("how", ["leaves", "is removed"])
async def test_typing_ends_when_the_user_leaves_or_is_removed(how: str) -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.say("carol")
        await anyio.sleep(1)
        user = "carol" if how == "leaves" else "alice"
        command: Any = LeaveRoom(room=room.room) if how == "leaves" else RemoveUser(room=room.room, user="carol")
        await room.chat.execute(user, command)
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["carol"], []]


async def test_socket_that_ended_while_its_membership_was_read_types_no_more() -> None:
    store = HeldStore()
    async with opened("alice", "bob", store=store) as room, anyio.create_task_group() as tasks:
        async with connected(room.chat, room.room, ["alice"]) as laptop:
            live = laptop.sockets["alice"]._live
            room.chat._hub._unsubscribe(live, room.room)  # as during a `sync`
            gate = store.hold("memberships", done=True)
            tasks.start_soon(laptop.say, "alice")
            await gate.reached.wait()
        gate.open()
        await anyio.sleep(1)
        assert room.shown("bob") == []


# Who comes while a user types.


async def test_socket_that_connects_is_pushed_who_types() -> None:
    async with opened("alice", "bob") as room:
        await room.say("alice")
        await anyio.sleep(1)
        async with connected(room.chat, room.room, ["bob"]) as late:
            await anyio.sleep(INTERVAL_S + SOON)
            assert late.shown("bob") == [["alice"]]
            assert [push.event for push in late.recorders["bob"].pushes] == ["ready", "typing"]
        assert room.shown("bob") == [["alice"]]


async def test_user_who_joins_is_pushed_who_types() -> None:
    async with opened("alice", "bob") as room, connected(room.chat, room.room, ["carol"]) as carol:
        await room.chat.execute("alice", InviteUser(room=room.room, user="carol"))
        await room.say("alice")
        await anyio.sleep(1)
        assert carol.shown("carol") == []
        await room.chat.execute("carol", JoinRoom(room=room.room))
        await anyio.sleep(INTERVAL_S + SOON)
        assert carol.shown("carol") == [["alice"]]
        await room.chat.execute("carol", LeaveRoom(room=room.room))
        await room.chat.execute("alice", InviteUser(room=room.room, user="carol"))
        await room.chat.execute("carol", JoinRoom(room=room.room))
        await anyio.sleep(2 * INTERVAL_S)
        assert carol.shown("carol") == [["alice"], ["alice"]]


async def test_join_that_the_store_alone_reports_is_followed_by_who_types() -> None:
    """The room is live from above the join on, so the subscription of the new member is filled from the store."""
    store = MemoryStore()
    async with Chat(store) as here, Chat(store) as there:
        room_id = await group(there, ["alice", "bob"])
        async with connected(here, room_id, ["carol"]) as carol:
            await there.execute("alice", InviteUser(room=room_id, user="carol"))
            await there.execute("carol", JoinRoom(room=room_id))
            async with connected(here, room_id, ["alice"]) as room:
                for _ in range(3):
                    await room.say("alice")
                    await anyio.sleep(POLL_S)
                assert carol.shown("carol") == [["alice"]]


async def sync(room: Room, user: UserId) -> None:
    await room.sockets[user].receive("sync", {"cursors": {room.room: {"seq": 0}}})


async def test_sync_does_not_repeat_who_types() -> None:
    async with opened("alice", "bob") as room:
        await room.say("alice")
        await anyio.sleep(1)
        await sync(room, "bob")
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]


async def test_end_of_typing_during_a_sync_is_pushed_after_it() -> None:
    store = HeldStore()
    async with opened("alice", "bob", store=store) as room, anyio.create_task_group() as tasks:
        await room.say("alice")
        await anyio.sleep(1)
        gate = store.hold("catch_up", done=True)
        tasks.start_soon(sync, room, "bob")
        await gate.reached.wait()
        await room.say("alice", on=False)
        await anyio.sleep(KNOWN_S + TYPING_S + SOON)
        assert room.shown("bob") == [["alice"]]
        gate.open()
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"], []]
        await anyio.sleep(1)
        assert not room.chat._hub.typing.rooms


async def test_failed_sync_continues_with_who_was_shown() -> None:
    store = HeldStore()
    async with opened("alice", "bob", store=store) as room:
        await room.say("alice")
        await anyio.sleep(1)
        store.fail("catch_up", done=False)
        await sync(room, "bob")
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]
        await room.say("alice", on=False)
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"], []]


# How often.


async def test_pushes_of_a_room_are_500_ms_apart_and_end_with_the_newest() -> None:
    async with opened("alice", "bob", "carol", "dave") as room:
        for number in range(40):
            await room.say(("alice", "carol", "dave")[number % 3], on=number % 2 == 0)
            await anyio.sleep(0.07)
        await room.say("alice")
        await room.say("carol", on=False)
        await room.say("dave", on=False)
        await anyio.sleep(1)
        times = sorted({at for recorder in room.recorders.values() for at, _ in recorder.words})
        assert min(later - earlier for earlier, later in pairwise(times)) >= INTERVAL_S - SOON
        assert len(times) >= 5
        assert room.shown("bob")[-1] == ["alice"]


async def test_flood_of_typing_costs_one_read_and_one_hint_per_500_ms() -> None:
    store, bus = AskedStore(), HeldBus()
    async with Chat(store, bus=bus) as chat:
        room_id = await group(chat, ["alice", "bob"])
        async with connected(chat, room_id, ["alice", "bob"]) as room:
            await anyio.sleep(1)
            bus.hints.clear()
            store.calls.clear()
            store.asked.clear()
            for number in range(1_000):
                await room.say("alice", on=number % 2 == 0)
                if number % 10 == 0:
                    await anyio.sleep(0.02)
            hints = [hint for hint in bus.hints if isinstance(hint, TypingHint)]
            assert 3 <= len(hints) <= 5
            assert ("append" in store.calls, len(store.asked)) == (False, 1)
            assert len(room.shown("bob")) <= 5


async def test_socket_begins_to_type_in_at_most_ten_rooms_in_500_ms() -> None:
    async with Chat(MemoryStore()) as chat:
        rooms = [await group(chat, ["alice", "bob"], key=str(number)) for number in range(SOCKET_ROOMS_MAX + 2)]
        async with connected(chat, rooms[0], ["alice", "bob"]) as here:
            for room in rooms:
                assert await here.say("alice", room=room) == OK
                await here.say("alice", room=room, on=False)
                await here.say("alice", room=room)
            await anyio.sleep(1)
            assert here.recorders["bob"].last.keys() == set(rooms[:SOCKET_ROOMS_MAX])
            await here.say("alice", room=rooms[-1])
            await anyio.sleep(1)
            assert rooms[-1] not in here.recorders["bob"].last
            await here.say("alice", room=rooms[0], on=False)
            await here.say("alice", room=rooms[-1])
            await anyio.sleep(1)
            assert here.recorders["bob"].last[rooms[-1]] == ("alice",)


# Blocks.


@pytest.mark.parametrize(("blocker", "blocked"), [("alice", "bob"), ("bob", "alice")])
async def test_block_hides_typing_in_both_directions_and_changes_no_answer(blocker: str, blocked: str) -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.chat.execute("alice", SendMessage(to="bob", body="x", key="k"))
        await room.chat.execute(blocker, BlockUser(user=blocked))
        for where in (room.room, PRIVATE):
            assert await room.say("alice", room=where) == await room.say("bob", room=where) == OK
        await anyio.sleep(1)
        assert room.shown("alice") == room.shown("bob") == []
        assert room.shown("carol") == [["alice", "bob"]]


async def test_block_made_while_a_user_types_takes_effect_with_the_next_push() -> None:
    async with opened("alice", "bob", "carol") as room:
        await room.say("alice")
        await room.say("carol")
        await anyio.sleep(1)
        await room.chat.execute("alice", BlockUser(user="bob"))
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice", "carol"], ["carol"]]


async def test_block_made_by_another_node_is_noticed_within_two_polls() -> None:
    store = MemoryStore()
    async with opened("alice", "bob", store=store) as room, Chat(store) as there:
        await room.say("alice")
        await anyio.sleep(1)
        await there.execute("bob", BlockUser(user="alice"))
        await anyio.sleep(POLL_S + INTERVAL_S)
        assert room.shown("bob") == [["alice"], []]


async def test_block_during_the_read_of_blocks_is_not_lost() -> None:
    class Held(MemoryStore):
        async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
            found = await super().blocks_among(pairs)
            if reading:
                reading.pop().set()
                await read_on.wait()
            return found

    reading: list[anyio.Event] = []
    read_on, is_reading = anyio.Event(), anyio.Event()
    async with opened("alice", "bob", store=Held()) as room:
        reading.append(is_reading)
        await room.say("alice")
        await is_reading.wait()
        await room.chat.execute("alice", BlockUser(user="bob"))
        read_on.set()
        await anyio.sleep(1)
        assert room.shown("bob") == []


async def test_blocks_are_asked_once_per_typist_and_not_per_push() -> None:
    store = AskedStore()
    async with opened("alice", "bob", "carol", store=store) as room:
        store.asked.clear()
        for number in range(8):
            await room.say("alice")
            await anyio.sleep(1)
            await room.send("alice", key=str(number))
        assert store.asked == [4]
        async with connected(room.chat, room.room, ["bob"]):
            await room.say("alice")
            await anyio.sleep(1)
            assert store.asked == [4, 2]


async def test_blocks_of_a_room_that_is_live_again_are_asked_anew() -> None:
    async with Chat(MemoryStore()) as chat:
        room_id = await group(chat, ["alice", "bob", "carol"])
        await chat.execute("carol", BlockUser(user="alice"))
        async with connected(chat, room_id, ["alice", "bob"]) as room:
            await room.say("alice")
            await anyio.sleep(1)
            assert room.shown("bob") == [["alice"]]
        assert chat.stats().rooms == 0
        async with connected(chat, room_id, ["carol", "bob", "alice"]) as room:
            await room.say("alice")
            await anyio.sleep(1)
            assert (room.shown("carol"), room.shown("bob")) == ([], [["alice"]])


async def test_end_of_a_block_shows_typing_that_begins_10_s_after_the_last() -> None:
    async with opened("alice", "bob") as room:
        await room.chat.execute("alice", BlockUser(user="bob"))
        await room.say("alice")
        await anyio.sleep(1)
        await room.chat.execute("alice", UnblockUser(user="bob"))
        await anyio.sleep(TYPING_S + KNOWN_S)
        await room.say("alice")
        await anyio.sleep(SOON)
        assert room.shown("bob") == [["alice"]]


async def test_blocks_in_a_large_room_are_read_in_chunks() -> None:
    store, members = AskedStore(), PAIRS_MAX + 1
    users = [f"u{number}" for number in range(members)]
    async with Chat(store) as chat, connected(chat, LARGE, ["alice", *users]) as room:
        await store.append([message_opening(LARGE, "alice", opens=opens("alice", *users))])
        await room.chat.execute("alice", BlockUser(user=users[-1]))
        await room.chat.execute(users[0], BlockUser(user="alice"))
        await anyio.sleep(POLL_S + 1)
        await room.say("alice")
        await anyio.sleep(1)
        assert store.asked == [PAIRS_MAX, PAIRS_MAX, 2]
        assert room.shown(users[-1]) == room.shown(users[0]) == []
        assert all(room.shown(user) == [["alice"]] for user in users[1:-1])


async def test_reading_of_blocks_ends_with_the_typing_that_it_is_for() -> None:
    class Held(AskedStore):
        async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
            found = await super().blocks_among(pairs)
            await read_on.wait()
            return found

    store, users, read_on = Held(), [f"u{number}" for number in range(PAIRS_MAX)], anyio.Event()
    async with Chat(store) as chat, connected(chat, LARGE, ["alice", *users]) as room:
        await store.append([message_opening(LARGE, "alice", opens=opens("alice", *users))])
        await anyio.sleep(POLL_S + 1)
        await room.say("alice")
        await anyio.sleep(SOON)
        await room.say("alice", on=False)
        read_on.set()
        await anyio.sleep(1)
        assert store.asked == [PAIRS_MAX]
        await room.say("alice")
        await anyio.sleep(1)
        assert store.asked == [PAIRS_MAX, PAIRS_MAX, PAIRS_MAX]
        assert room.shown("u0") == [["alice"]]


async def test_nobody_is_shown_while_blocks_cannot_be_read_but_typing_ends() -> None:
    store = AskedStore()
    async with opened("alice", "bob", "carol", store=store) as room:
        await room.say("alice")
        await anyio.sleep(1)
        store.is_down = True
        await room.say("carol")
        await anyio.sleep(TYPING_S + 1)
        assert room.shown("bob") == [["alice"], []]
        assert len(store.asked) <= 2 + TYPING_S / INTERVAL_S
        store.is_down = False
        await room.say("carol")
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"], [], ["carol"]]


async def test_store_that_raises_does_not_end_typing_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    class Raising(MemoryStore):
        async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
            if raises:
                raise raises.pop()
            return await super().blocks_among(pairs)

    raises: list[Exception] = []
    async with opened("alice", "bob", store=Raising()) as room:
        raises.append(ValueError("no"))
        await room.say("alice")
        await anyio.sleep(1)
        assert room.shown("bob") == [["alice"]]
        (record,) = caplog.records
        assert record.getMessage() == f"blocks not read for typing: room={room.room}"


# Other nodes.


@asynccontextmanager
async def two_nodes(bus: Any) -> AsyncGenerator[tuple[Room, Room]]:
    """Open two nodes: Alice is connected to the first, Bob to the second, Carol to both."""
    store = MemoryStore()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = await group(here, ["alice", "bob", "carol"])
        async with connected(here, room, ["alice", "carol"]) as first, connected(there, room, ["bob", "carol"]) as last:
            yield first, last


async def test_typing_reaches_other_nodes_over_the_bus_and_ends_there() -> None:
    async with two_nodes(MemoryBus()) as (here, there):
        await here.say("alice")
        await anyio.sleep(1)
        assert here.shown("carol") == there.shown("bob") == there.shown("carol") == [["alice"]]
        await here.say("alice", on=False)
        await anyio.sleep(SOON)
        assert there.shown("bob") == [["alice"], []]


async def test_typing_without_a_bus_is_seen_on_its_node_alone() -> None:
    store = MemoryStore()
    async with Chat(store) as here, Chat(store) as there:
        room = await group(here, ["alice", "bob"])
        async with connected(here, room, ["alice", "bob"]) as first, connected(there, room, ["bob"]) as last:
            await first.say("alice")
            await anyio.sleep(2 * POLL_S)
            assert (first.shown("bob"), last.shown("bob")) == ([["alice"]], [])


async def test_repeated_typing_continues_on_other_nodes() -> None:
    async with two_nodes(MemoryBus()) as (here, there):
        for _ in range(4):
            await here.say("alice")
            await anyio.sleep(4)
        assert there.shown("bob") == [["alice"]]


async def test_typing_ends_on_other_nodes_without_a_further_hint() -> None:
    bus = HeldBus()
    async with two_nodes(bus) as (here, there):
        await here.say("alice")
        await anyio.sleep(SOON)
        bus.deliver()
        await anyio.sleep(1)
        await here.say("alice", on=False)
        await anyio.sleep(TYPING_S)
        bus.lose()
        assert there.shown("bob") == [["alice"], []]


@pytest.mark.parametrize("how", ["message", "socket", "removal"])
async def test_other_nodes_are_told_every_end(how: str) -> None:
    bus = HeldBus()
    async with two_nodes(bus) as (here, _):
        bus.lose()
        async with connected(here.chat, here.room, ["bob"]) as bob:
            await bob.say("bob")
            await anyio.sleep(1)
            if how == "message":
                await here.send("bob")
            elif how == "removal":
                await here.chat.execute("alice", RemoveUser(room=here.room, user="bob"))
        await anyio.sleep(1)
        hints = [hint for hint in bus.hints if isinstance(hint, TypingHint)]
        assert [(hint.user, hint.on) for hint in hints] == [("bob", True), ("bob", False)]


async def test_hint_that_comes_after_a_later_one_is_ignored() -> None:
    bus = HeldBus()
    async with two_nodes(bus) as (here, there):
        bus.lose()
        await here.say("alice")
        await anyio.sleep(1)
        bus.deliver()
        await anyio.sleep(1)
        await here.say("alice")
        await anyio.sleep(1)
        late = list(bus.hints)
        bus.lose()
        await here.say("alice", on=False)
        await anyio.sleep(1)
        bus.deliver()
        bus.hints.extend(late)
        bus.deliver()
        await anyio.sleep(1)
        assert there.shown("bob") == [["alice"], []]


async def test_end_by_its_deadline_is_not_hinted() -> None:
    bus = HeldBus()
    async with two_nodes(bus) as (here, _):
        bus.lose()
        await here.say("alice")
        await anyio.sleep(TYPING_S + 1)
        await here.say("alice")
        await here.say("alice", on=False)
        await anyio.sleep(1)
        hints = [hint.on for hint in bus.hints if isinstance(hint, TypingHint)]
        assert hints == [True]


async def test_hint_for_a_room_that_is_not_live_is_ignored() -> None:
    bus = HeldBus()
    async with Chat(MemoryStore(), bus=bus) as chat:
        await bus.publish([TypingHint(node="n", room=PRIVATE, user="alice", on=True, number=1)])
        bus.deliver()
        assert left_behind(chat) == []


async def test_end_of_a_socket_does_not_end_what_another_node_said_last() -> None:
    async with two_nodes(MemoryBus()) as (here, there):
        async with connected(there.chat, there.room, ["alice"]) as laptop:
            await laptop.say("alice")
            await anyio.sleep(1)
            await here.say("alice")
            await anyio.sleep(1)
        await anyio.sleep(1)
        assert here.shown("carol") == there.shown("bob") == [["alice"]]


# What is left.


async def test_nothing_is_left_once_nobody_types_and_sockets_have_ended() -> None:
    store = MemoryStore()
    async with Chat(store, bus=MemoryBus()) as chat:
        room_id = await group(chat, ["alice", "bob", "carol"])
        async with connected(chat, room_id, ["alice", "bob", "carol"]) as room:
            for user in ("alice", "bob"):
                await room.say(user)
            await room.chat.execute("alice", SetTyping(room=room_id, on=True))
            await anyio.sleep(KNOWN_S + TYPING_S + SOON)
            typing = chat._hub.typing
            assert [*typing.rooms, *typing._idle, *typing._rooms_of, *typing._queue] == []
            await room.say("alice")
            await anyio.sleep(1)
        assert [*typing.sockets] == []
        await anyio.sleep(KNOWN_S + SOON)
        assert left_behind(chat) == []


async def test_typing_in_a_room_without_subscriptions_ends_by_itself() -> None:
    async with Chat(MemoryStore()) as chat:
        room = await group(chat, ["alice", "bob"])
        await chat.execute("alice", SetTyping(room=room, on=True))
        await anyio.sleep(KNOWN_S + TYPING_S + SOON)
        assert left_behind(chat) == []


async def test_users_and_rooms_that_are_remembered_are_bounded() -> None:
    users = [f"u{number}" for number in range(KNOWN_MAX + 5)]
    async with Chat(MemoryStore()) as chat:
        room = await group(chat, ["alice", *users])
        async with connected(chat, room, ["alice"]):
            typing = chat._hub.typing
            for user in users:
                for on in (True, False):
                    await chat.execute(user, SetTyping(room=room, on=on))
            assert list(typing.rooms[room].known) == users[-KNOWN_MAX:]
            assert list(typing._rooms_of) == users[-KNOWN_MAX:]
            for number in range(IDLE_MAX + 5):
                typing.say(f"r{number}", "alice", None, on=True)
                typing.say(f"r{number}", "alice", None, on=False)
                if number % 1_000 == 0:
                    await anyio.sleep(SOON)
            await anyio.sleep(SOON)
            assert len(typing._idle) == IDLE_MAX
            assert next(iter(typing.rooms)) != room


async def test_connection_that_raises_gets_no_further_push_and_others_do() -> None:
    class Raising(TypingRecorder):
        def send(self, push: Push) -> None:
            if push.event == "typing":
                raise OSError
            super().send(push)

    async with opened("alice", "bob") as room:
        broken = Raising()
        async with room.chat.connect(broken, user="bob"):
            await room.say("alice")
            await anyio.sleep(1)
            assert broken.bye is not None
            assert room.shown("bob") == [["alice"]]
