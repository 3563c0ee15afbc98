"""A host's trusted command needs no rights of its user. All other checks apply."""

import ast
from collections.abc import AsyncGenerator, Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from chatcore import (
    AddMember,
    BanUser,
    ChangeRole,
    Chat,
    ChatError,
    CommandLimits,
    CreateRoom,
    DeleteMessage,
    EditMessage,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    ListMembers,
    Profile,
    RateLimited,
    RemoveUser,
    Rules,
    SendMessage,
    SendRates,
    UnbanUser,
    UpdateRoom,
)
from chatcore.commands.command import RoomCommand
from chatcore.commands.table import COMMANDS
from chatcore.ids import UserId
from chatcore.ports.rate_limiter import Rate
from chatcore.testing import Recorder
from chatcore_limits import MemoryRateLimiter
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

ROOM = "room-of-the-test"
TRANSPORTS = (
    "chatcore_aiohttp",
    "chatcore_asgi",
    "chatcore_http",
    "chatcore_server",
    "chatcore_socketio",
    "chatcore_websocket",
)


async def directory(users: Collection[UserId]) -> Mapping[UserId, Profile]:
    return {user: Profile() for user in users if user != "ghost"}


@pytest.fixture
async def chat() -> AsyncGenerator[Chat]:
    async with Chat(MemoryStore(), directory=directory, rules=Rules(members_max=5)) as chat:
        yield chat


@pytest.fixture
async def room(chat: Chat) -> str:
    """A group of olga, its owner, mia and bea; eve is banned."""
    room = (await chat.execute("olga", CreateRoom(kind="group", title="Cats", members=["mia", "bea"], key="k"))).room
    await chat.execute("olga", BanUser(room=room, user="eve"))
    return room


async def members(chat: Chat, room: str) -> Mapping[UserId, str]:
    page = await chat.execute("olga", ListMembers(room=room))
    return {row.user: row.role if row.state == "member" else row.state for row in page.members}


async def refused(chat: Chat, user: str, command: RoomCommand[object]) -> str:
    with pytest.raises(ChatError) as refused:
        await chat.execute(user, command, trusted=True)
    return refused.value.code


async def test_trusted_user_without_membership_sends_edits_deletes_and_administers(chat: Chat, room: str) -> None:
    await chat.execute("mia", SendMessage(room=room, body="hi", key="k1"))
    for command in (
        SendMessage(room=room, body="closed at noon", key="k2"),
        EditMessage(room=room, seq=3, version=1, body="hello"),
        DeleteMessage(room=room, seq=3),
        UpdateRoom(room=room, title="Dogs"),
        ChangeRole(room=room, user="mia", role="admin"),
        RemoveUser(room=room, user="bea"),
        UnbanUser(room=room, user="eve"),
        InviteUser(room=room, user="eve"),
    ):
        with pytest.raises(ChatError):
            await chat.execute("shop", command)
        await chat.execute("shop", command, trusted=True)
    assert await members(chat, room) == {"olga": "owner", "mia": "admin", "eve": "invited"}


async def test_added_member_gets_the_room_and_its_messages(chat: Chat, room: str) -> None:
    dan = Recorder()
    async with chat.connect(dan, user="dan"):
        await chat.execute("shop", AddMember(room=room, user="dan", role="admin"), trusted=True)
        await chat.execute("olga", SendMessage(room=room, body="welcome", key="k1"))
        (shown,) = dan.rooms(room)
        assert shown.state == "member"
        assert dan.bodies(room) == ["welcome"]
    assert (await members(chat, room))["dan"] == "admin"
    again = await chat.execute("shop", AddMember(room=room, user="dan"), trusted=True)
    assert again.seq is None


async def test_member_is_added_by_trusted_commands_only(chat: Chat, room: str) -> None:
    for user in ("olga", "mia", "shop"):
        with pytest.raises(ChatError):
            await chat.execute(user, AddMember(room=room, user="dan"))
    assert "dan" not in await members(chat, room)
    assert AddMember not in COMMANDS.values()


async def test_trusted_command_is_refused_for_reasons_other_than_rights(chat: Chat, room: str) -> None:
    private = (await chat.execute("mia", SendMessage(to="bea", body="hi", key="k1"))).room
    await chat.execute("mia", SendMessage(room=room, body="hi", key="k2"))
    assert await refused(chat, "shop", AddMember(room=room, user="eve")) == "forbidden"
    assert await refused(chat, "shop", AddMember(room=room, user="ghost")) == "not_found"
    assert await refused(chat, "shop", AddMember(room="room-none", user="dan")) == "not_found"
    assert await refused(chat, "shop", AddMember(room=private, user="dan")) == "not_found"
    assert await refused(chat, "shop", SendMessage(room=private, body="psst", key="k3")) == "not_found"
    assert await refused(chat, "shop", SendMessage(to="ghost", body="hi", key="k4")) == "not_found"
    assert await refused(chat, "eve", SendMessage(room=room, body="hi", key="k5")) == "not_found"
    assert await refused(chat, "eve", JoinRoom(room=room)) == "not_found"
    assert await refused(chat, "mia", LeaveRoom(room=private)) == "forbidden"
    assert await refused(chat, "olga", LeaveRoom(room=room)) == "forbidden"
    for command in (
        RemoveUser(room=room, user="olga"),
        BanUser(room=room, user="olga"),
        ChangeRole(room=room, user="olga", role="member"),
    ):
        assert await refused(chat, "shop", command) == "forbidden"
        assert await refused(chat, "mia", command) == "forbidden"
    assert await refused(chat, "shop", ChangeRole(room=room, user="dan", role="admin")) == "not_found"
    assert await refused(chat, "shop", EditMessage(room=room, seq=3, version=9, body="x")) == "conflict"
    await chat.execute("shop", SendMessage(room=room, body="one", key="k6"), trusted=True)
    assert await refused(chat, "shop", SendMessage(room=room, body="two", key="k6")) == "key_reused"
    for user in ("dan", "fay"):
        await chat.execute("shop", AddMember(room=room, user=user), trusted=True)
    assert await refused(chat, "shop", AddMember(room=room, user="gus")) == "conflict"
    left = await chat.execute("gus", LeaveRoom(room=room), trusted=True)
    assert left.seq is None


async def test_trusted_command_ignores_the_limits() -> None:
    limits = CommandLimits(rates=SendRates(user=Rate(1, 3_600), room=Rate(1, 3_600)), limiter=MemoryRateLimiter({}))
    async with Chat(MemoryStore(), limits=limits) as chat:
        for number in range(3):
            await chat.execute("shop", SendMessage(to="bob", body="hi", key=f"k{number}"), trusted=True)
        await chat.execute("shop", SendMessage(to="bob", body="hi", key="first"))
        with pytest.raises(RateLimited):
            await chat.execute("shop", SendMessage(to="bob", body="hi", key="second"))


def test_no_transport_can_carry_out_a_trusted_command() -> None:
    """Transports call `Chat.request` and `Socket.receive`, which have no such argument."""
    packages = [find_spec(package) for package in TRANSPORTS]
    folders = [Path(folder) for spec in packages if spec for folder in spec.submodule_search_locations or ()]
    assert len(folders) == len(TRANSPORTS)
    files = [file for folder in folders for file in folder.glob("*.py")]
    assert len(files) > 30
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute":
                assert "chat" not in ast.unparse(node.func.value), f"{file.name} calls execute"
            assert not (isinstance(node, ast.keyword) and node.arg == "trusted"), f"{file.name} passes trusted"
