"""Blocked users: what they cannot do, on which nodes, and what shows it."""

from collections.abc import Collection, Mapping
from typing import Any

import anyio
import pytest

from chatcore import (
    BlockUser,
    Chat,
    Conflict,
    CreateRoom,
    DeleteMessage,
    EditMessage,
    Forbidden,
    History,
    Invalid,
    InviteUser,
    JoinRoom,
    ListBlocks,
    ListRooms,
    Mark,
    NotFound,
    Profile,
    React,
    RemoveUser,
    SendMessage,
    Unavailable,
    UnblockUser,
)
from chatcore.domain.blocks import BLOCKS_MAX
from chatcore.ids import UserId
from chatcore.live.change_poller import POLL_S
from chatcore.testing import Recorder, virtual_time
from chatcore_memory import MemoryBus, MemoryStore
from tests.unit.live.nodes import EventRecorder, HeldStore

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


def to(user: UserId, key: str) -> SendMessage:
    return SendMessage(to=user, body=key, key=key)


async def refused(chat: Chat, user: UserId, command: Any) -> bool:
    try:
        await chat.execute(user, command)
    except Forbidden:
        return True
    return False


async def test_blocked_user_cannot_open_or_continue_the_private_room() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", BlockUser(user="bob"))
        assert await refused(chat, "bob", to("alice", "1"))
        await chat.execute("alice", to("bob", "hello"))
        for command in (
            to("alice", "2"),
            SendMessage(room=ROOM, body="x", key="3"),
            React(room=ROOM, seq=1, emoji="👍", on=True),
        ):
            assert await refused(chat, "bob", command)
        assert len((await chat.execute("bob", History(room=ROOM))).entries) == 1
        assert (await chat.execute("bob", Mark(room=ROOM, read=1))).read == 1


async def test_blocked_user_may_delete_but_not_edit_own_messages() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("bob", to("alice", "1"))
        await chat.execute("alice", BlockUser(user="bob"))
        assert await refused(chat, "bob", EditMessage(room=ROOM, seq=1, version=1, body="x"))
        assert (await chat.execute("bob", DeleteMessage(room=ROOM, seq=1))).seq == 2


async def test_blocking_user_and_groups_are_not_affected() -> None:
    async with Chat(MemoryStore()) as chat:
        group = (
            await chat.execute("carol", CreateRoom(kind="group", title="T", members=["alice", "bob"], key="k"))
        ).room
        await chat.execute("alice", BlockUser(user="bob"))
        await chat.execute("bob", SendMessage(room=group, body="x", key="1"))
        assert (await chat.execute("alice", to("bob", "1"))).seq == 1
        assert (await chat.execute("bob", to("bob", "1"))).seq == 1
        assert (await chat.execute("bob", to("carol", "1"))).seq == 1


async def test_unblocked_user_may_write_again() -> None:
    store = MemoryStore()
    async with Chat(store) as chat, Chat(store) as elsewhere:
        await chat.execute("alice", to("bob", "0"))
        async with chat.connect(Recorder(), user="bob"), elsewhere.connect(Recorder(), user="bob"):
            await chat.execute("alice", BlockUser(user="bob"))
            for node in (chat, elsewhere):
                assert await refused(node, "bob", to("alice", "1"))
            await chat.execute("alice", UnblockUser(user="bob"))
            for number, node in enumerate((elsewhere, chat), start=2):
                assert (await node.execute("bob", to("alice", str(number)))).seq == number


async def test_retry_of_a_message_from_before_the_block_gets_its_first_answer() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("bob", to("alice", "1"))
        await chat.execute("alice", BlockUser(user="bob"))
        again = await chat.execute("bob", to("alice", "1"))
        assert (again.seq, again.duplicate) == (1, True)
        assert await refused(chat, "bob", to("alice", "2"))


async def test_refusal_of_a_block_is_equal_to_every_other_refusal() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", BlockUser(user="bob"))
        with pytest.raises(Forbidden) as refusal:
            await chat.execute("bob", to("alice", "1"))
        assert str(refusal.value) == str(Forbidden())


async def test_block_by_another_node_is_noticed_by_hint_at_once() -> None:
    store, bus = MemoryStore(), MemoryBus()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there, there.connect(Recorder(), user="bob"):
        await there.execute("bob", to("alice", "1"))
        await here.execute("alice", BlockUser(user="bob"))
        await anyio.sleep(0.1)
        assert await refused(there, "bob", to("alice", "2"))


async def test_block_by_another_node_is_noticed_without_a_bus_within_two_polls() -> None:
    store = MemoryStore()
    async with Chat(store) as here, Chat(store) as there, there.connect(Recorder(), user="bob"):
        await there.execute("bob", to("alice", "1"))
        await here.execute("alice", BlockUser(user="bob"))
        await anyio.sleep(POLL_S + 0.1)
        assert await refused(there, "bob", to("alice", "2"))


async def test_block_during_a_read_of_the_state_counts_for_later_messages() -> None:
    store = HeldStore()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        gate = store.hold("state", done=True)
        tasks.start_soon(refused, chat, "bob", to("alice", "1"))
        await gate.reached.wait()
        await chat.execute("alice", BlockUser(user="bob"))
        gate.open()
        assert await refused(chat, "bob", to("alice", "2"))


async def test_block_with_unknown_outcome_is_noticed() -> None:
    class Losing(MemoryStore):
        async def block(self, user: UserId, other: UserId, limit: int) -> None:
            await super().block(user, other, limit)
            raise Unavailable

    async with Chat(Losing()) as chat, chat.connect(Recorder(), user="bob"):
        await chat.execute("bob", to("alice", "1"))
        with pytest.raises(Unavailable):
            await chat.execute("alice", BlockUser(user="bob"))
        assert await refused(chat, "bob", to("alice", "2"))


async def test_room_with_a_member_who_blocks_the_creator_is_forbidden() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", BlockUser(user="bob"))
        assert await refused(chat, "bob", CreateRoom(kind="group", title="T", members=["carol", "alice"], key="1"))
        created = await chat.execute("alice", CreateRoom(kind="group", title="T", members=["bob"], key="1"))
        assert created.view.members_count == 2
        await chat.execute("alice", UnblockUser(user="bob"))
        await chat.execute("bob", CreateRoom(kind="group", title="T", members=["carol", "alice"], key="1"))


async def test_host_may_write_for_a_blocked_user() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", BlockUser(user="bob"))
        await chat.execute("bob", to("alice", "1"), trusted=True)
        create = CreateRoom(kind="group", title="T", members=["alice"], key="1")
        assert (await chat.execute("bob", create, trusted=True)).view.members_count == 2


@pytest.mark.parametrize(("blocker", "blocked"), [("alice", "bob"), ("bob", "alice")])
async def test_invitation_across_a_block_is_answered_and_listed_but_not_pushed(blocker: str, blocked: str) -> None:
    async with Chat(MemoryStore()) as chat:
        room = (await chat.execute("alice", CreateRoom(kind="group", title="T", key="k"))).room
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            await chat.execute(blocker, BlockUser(user=blocked))
            assert (await chat.execute("alice", InviteUser(room=room, user="bob"))).seq == 2
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, bob.answer)
            await anyio.sleep(2 * POLL_S)
            assert bob.events == ["ready", "answer None"]
            (listed,) = (await chat.execute("bob", ListRooms())).rooms
            assert listed.state == "invited"
            await chat.execute("alice", RemoveUser(room=room, user="bob"))
            await chat.execute(blocker, UnblockUser(user=blocked))
            await chat.execute("alice", InviteUser(room=room, user="bob"))
            assert bob.events == ["ready", "answer None", "room"]


async def test_invitation_across_a_block_can_be_joined() -> None:
    async with Chat(MemoryStore()) as chat:
        room = (await chat.execute("alice", CreateRoom(kind="group", title="T", key="k"))).room
        bob = EventRecorder()
        async with chat.connect(bob, user="bob"):
            await chat.execute("bob", BlockUser(user="alice"))
            await chat.execute("alice", InviteUser(room=room, user="bob"))
            await chat.execute("bob", JoinRoom(room=room))
            assert bob.events == ["ready", "room", "entry 3"]


async def test_blocks_are_listed_in_order_and_are_bounded() -> None:
    store = MemoryStore()
    async with Chat(store) as chat:
        for number in range(BLOCKS_MAX):
            await store.block("alice", f"{number}", BLOCKS_MAX)
        await chat.execute("alice", BlockUser(user="7"))
        with pytest.raises(Conflict):
            await chat.execute("alice", BlockUser(user="bob"))
        assert (await chat.execute("alice", ListBlocks())).users == sorted(str(number) for number in range(BLOCKS_MAX))
        assert (await chat.execute("bob", ListBlocks())).users == []


async def test_oneself_and_unknown_users_cannot_be_blocked() -> None:
    async def directory(users: Collection[UserId]) -> Mapping[UserId, Profile]:
        return {user: Profile() for user in users if user != "ghost"}

    async with Chat(MemoryStore(), directory=directory, canonical=str.lower) as chat:
        with pytest.raises(Invalid):
            await chat.execute("alice", BlockUser(user="Alice"))
        with pytest.raises(NotFound):
            await chat.execute("alice", BlockUser(user="ghost"))
        await chat.execute("alice", UnblockUser(user="ghost"))
        await chat.execute("alice", BlockUser(user="BOB"))
        assert (await chat.execute("alice", ListBlocks())).users == ["bob"]


async def test_message_in_a_live_private_room_stays_one_call_of_the_store() -> None:
    store = HeldStore()
    async with Chat(store) as chat, chat.connect(Recorder(), user="alice"):
        await chat.execute("alice", BlockUser(user="bob"))
        await chat.execute("alice", to("bob", "1"))
        store.calls.clear()
        await chat.execute("alice", to("bob", "2"))
        assert store.calls == ["append"]
