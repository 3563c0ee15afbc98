"""The fields of a Room object in answers and in the push `room`."""

from typing import Any

import pytest

from chatcore import Chat, CreateRoom, GetRoom, InviteUser, JoinRoom, ListRooms, SendMessage
from chatcore.protocol import Object, answer_object, push_object
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio


async def create(chat: Chat, *bodies: str) -> str:
    """Create a group of olga with messages of hers and an invitation of ina."""
    room = (await chat.execute("olga", CreateRoom(kind="group", title="Tea", key="k"))).view.room
    for body in bodies:
        await chat.execute("olga", SendMessage(room=room, body=body, key=body[:64]))
    await chat.execute("olga", InviteUser(room=room, user="ina"))
    return room


async def test_invited_user_is_shown_no_entry_no_count_and_no_marker() -> None:
    async with Chat(MemoryStore()) as chat:
        room = await create(chat, "secret")
        shown = answer_object(await chat.execute("ina", GetRoom(room=room)))
        (listed,) = answer_object(await chat.execute("ina", ListRooms()))["rooms"]
        for fields in (shown, listed):
            assert fields["me"] == {"role": "member", "state": "invited"}
            assert fields.keys().isdisjoint({"last", "markers", "unread"})


async def test_push_of_a_joined_room_has_markers_and_no_last_entry_or_unread() -> None:
    ina = Recorder()
    async with Chat(MemoryStore()) as chat, chat.connect(ina, user="ina"):
        room = await create(chat)
        await chat.execute("ina", JoinRoom(room=room))
        await ina.until(lambda _: len(ina.rooms(room)) == 2)
        pushed: Object = push_object(ina.rooms(room)[-1])
        assert pushed["head"] == 2
        assert pushed["me"] == {"role": "member", "state": "member", "read": 3, "delivered": 3, "muted": False}
        assert pushed["markers"] == {"olga": {"read": 0, "delivered": 0}, "ina": {"read": 3, "delivered": 3}}
        assert "last" not in pushed


@pytest.mark.parametrize(
    ("body", "shown", "cut"),
    [
        ("x" * 256, "x" * 256, None),
        ("x" * 257, "x" * 256, True),
        ("\N{SNOWMAN}" * 86, "\N{SNOWMAN}" * 85, True),
    ],
)
async def test_last_entry_of_a_room_shows_256_bytes_of_its_body(body: str, shown: str, cut: bool | None) -> None:
    async with Chat(MemoryStore()) as chat:
        sent = await chat.execute("alice", SendMessage(to="bob", body=body, key="k"))
        last: dict[str, Any] = answer_object(await chat.execute("bob", GetRoom(room=sent.room)))["last"]
        assert (last["body"], last.get("cut")) == (shown, cut)
