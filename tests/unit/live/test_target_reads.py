"""How often commands read their target messages from the store."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from chatcore import Chat, CreateRoom, EditMessage, JoinRoom, React, SendMessage
from chatcore.commands.command import Command
from chatcore.domain.entries import Entry
from chatcore.errors import ChatError, Conflict, Invalid
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import AppendResult
from chatcore.ports.room_views import Anchor, Window
from chatcore.testing import Recorder
from chatcore.testing.tasks import at_once
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import HeldStore

pytestmark = pytest.mark.anyio

USERS = [f"user {number}" for number in range(50)]


class CountingStore(MemoryStore):
    read = 0
    appended = 0

    async def window(
        self, user: str, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        self.read += 1
        return await super().window(user, room, anchor, before, after, messages_only=messages_only)

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        self.appended += 1
        return await super().append(entries)


async def send_to_all(chat: Chat) -> tuple[RoomId, Seq]:
    """Send a message in a room with all users. Returns its position."""
    made = await chat.execute("olga", CreateRoom(kind="public", title="all", key="k"))
    room = made.view.room
    for user in USERS:
        await chat.execute(user, JoinRoom(room=room))
    return room, (await chat.execute("olga", SendMessage(room=room, body="who comes?", key="k2"))).seq


async def outcome(chat: Chat, user: str, command: Command[Any]) -> Any:
    try:
        return await chat.execute(user, command)
    except ChatError as error:
        return type(error)


async def test_concurrent_reactions_to_one_message_read_it_once_each() -> None:
    async with Chat(store := CountingStore()) as chat:
        room, seq = await send_to_all(chat)
        reactions = [partial(chat.execute, user, React(room=room, seq=seq, emoji="+", on=True)) for user in USERS]
        answers = await at_once(reactions)
        assert sorted(answer.seq or 0 for answer in answers) == list(range(seq + 1, seq + len(USERS) + 1))
        assert store.read == len(USERS)


async def test_replies_to_one_message_share_an_append_with_an_earlier_message() -> None:
    async with Chat(store := CountingStore()) as chat:
        room, seq = await send_to_all(chat)
        store.appended = 0
        message = partial(chat.execute, "olga", SendMessage(room=room, body="all of you?", key="k3"))
        replies = [
            partial(chat.execute, user, SendMessage(room=room, body="me", key="k", reply_to=seq)) for user in USERS
        ]
        await at_once([message, *replies])
        assert (store.read, store.appended) == (len(USERS), 1)


async def test_concurrent_edits_of_one_version_succeed_once() -> None:
    async with Chat(MemoryStore()) as chat:
        room, seq = await send_to_all(chat)
        edits = [
            partial(outcome, chat, "olga", EditMessage(room=room, seq=seq, version=1, body=str(number)))
            for number in range(50)
        ]
        outcomes = await at_once(edits)
        assert outcomes.count(Conflict) == 49


async def test_edit_of_a_message_just_edited_on_another_node_is_conflict() -> None:
    store = HeldStore()
    outcomes: list[Any] = []
    async with Chat(store) as here, Chat(store) as there, anyio.create_task_group() as tasks:
        room = (await here.execute("olga", CreateRoom(kind="public", title="all", key="k"))).view.room
        seq = (await here.execute("olga", SendMessage(room=room, body="who comes?", key="k2"))).seq

        async def edit() -> None:
            outcomes.append(await outcome(here, "olga", EditMessage(room=room, seq=seq, version=1, body="here")))

        gate = store.hold("append", done=False)
        tasks.start_soon(edit)
        await gate.reached.wait()
        await there.execute("olga", EditMessage(room=room, seq=seq, version=1, body="there"))
        gate.open()
    assert outcomes == [Conflict]


async def test_message_read_ahead_of_its_room_is_read_once() -> None:
    """The room is two edits behind the store when a command about the message comes."""
    async with Chat(store := CountingStore()) as here, Chat(store) as there, here.connect(Recorder(), user="olga"):
        room, seq = await send_to_all(here)
        await there.execute("olga", EditMessage(room=room, seq=seq, version=1, body="2"))
        await there.execute("olga", EditMessage(room=room, seq=seq, version=2, body="3"))
        store.read = 0
        assert await outcome(here, "olga", EditMessage(room=room, seq=seq, version=1, body="late")) is Conflict
        assert store.read == 1


async def test_refusal_among_concurrent_replies_causes_no_second_read() -> None:
    async with Chat(store := CountingStore()) as chat:
        room, seq = await send_to_all(chat)
        replies = [
            partial(outcome, chat, user, SendMessage(room=room, body="me", key="k", reply_to=seq if even else 1))
            for even, user in zip([True, False] * len(USERS), USERS, strict=False)
        ]
        assert (await at_once(replies)).count(Invalid) == len(USERS) // 2
        assert store.read == len(USERS)
