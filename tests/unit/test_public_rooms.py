"""Public rooms are found by the start of their title."""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve

from chatcore import (
    RIGHTS,
    BanUser,
    Chat,
    CreateRoom,
    GetRoom,
    Invalid,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    ListPublicRooms,
    Rules,
    SendMessage,
    UnbanUser,
    UpdateRoom,
)
from chatcore.domain.names import TITLE_FORM_MAX, end_of_prefix, title_form
from chatcore.domain.page_tokens import TitlePlace
from chatcore.domain.permissions import Row
from chatcore.domain.serialization import compact_json
from chatcore.ids import RoomId, UserId
from chatcore.protocol import answer_object
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

PUSH_BYTES_MAX = 512 * 1024


async def create(chat: Chat, title: str, key: str, kind: Any = "public", members: Sequence[UserId] = ()) -> RoomId:
    command = CreateRoom(kind=kind, title=title, key=key, members=members)
    return (await chat.execute("alice", command)).view.room


async def listed(chat: Chat, user: UserId, prefix: str | None = None, limit: int = 50) -> list[RoomId]:
    """Return the rooms of all pages."""
    page = await chat.execute(user, ListPublicRooms(prefix=prefix, limit=limit))
    rooms = [room.view.room for room in page.rooms]
    while page.next:
        page = await chat.execute(user, ListPublicRooms(prefix=prefix, after=page.next, limit=limit))
        rooms += [room.view.room for room in page.rooms]
    return rooms


async def test_public_rooms_are_listed_to_strangers_by_title() -> None:
    async with Chat(MemoryStore()) as chat:
        wine, tea = await create(chat, "wine", "1"), await create(chat, "Tea", "2")
        await create(chat, "tea of friends", "3", "group", ["bob"])
        await chat.execute("alice", SendMessage(to="bob", body="tea?", key="4"))
        for user in ("alice", "bob", "carol"):
            assert await listed(chat, user, limit=1) == [tea, wine]
            assert await listed(chat, user, "TE") == [tea]
            assert await listed(chat, user, "ea") == []


async def test_each_room_is_as_room_get_shows_it() -> None:
    async with Chat(MemoryStore()) as chat:
        rooms = [await create(chat, f"room {number}", str(number), members=["bob"]) for number in range(3)]
        await chat.execute("alice", SendMessage(room=rooms[0], body="hi", key="hi"))
        await chat.execute("alice", InviteUser(room=rooms[1], user="carol"))
        for user in ("alice", "bob", "carol", "dave"):
            shown = answer_object(await chat.execute(user, ListPublicRooms()))
            single = [answer_object(await chat.execute(user, GetRoom(room=room))) for room in rooms]
            assert shown == {"rooms": single}
            assert (user == "dave") == (not any("me" in room for room in shown["rooms"]))


async def test_changed_title_changes_the_place() -> None:
    async with Chat(MemoryStore()) as chat:
        first, second = await create(chat, "a", "1"), await create(chat, "b", "2")
        await chat.execute("alice", UpdateRoom(room=first, title="C"))
        assert await listed(chat, "bob") == [second, first]
        assert (await listed(chat, "bob", "a"), await listed(chat, "bob", "c")) == ([], [first])


async def test_banned_user_does_not_find_the_room() -> None:
    async with Chat(MemoryStore()) as chat:
        room, other = await create(chat, "Tea", "1"), await create(chat, "Teas", "2")
        await chat.execute("alice", BanUser(room=room, user="eve"))
        assert await listed(chat, "eve", "tea", 1) == [other]
        assert await listed(chat, "bob", "tea", 1) == [room, other]
        await chat.execute("alice", UnbanUser(room=room, user="eve"))
        assert await listed(chat, "eve", "tea", 1) == [room, other]


async def test_room_without_members_is_found_again_when_a_user_joins() -> None:
    async with Chat(MemoryStore()) as chat:
        room = await create(chat, "Tea", "1")
        await chat.execute("alice", LeaveRoom(room=room))
        assert await listed(chat, "bob") == []
        await chat.execute("bob", JoinRoom(room=room))
        assert await listed(chat, "carol") == [room]


async def test_room_that_room_get_refuses_by_the_rules_of_the_host_is_missing() -> None:
    members_only: Row = {**RIGHTS["get"], "public": RIGHTS["get"]["private"]}
    async with Chat(MemoryStore(), rules=Rules(rights={**RIGHTS, "get": members_only})) as chat:
        room, _ = await create(chat, "a", "1", members=["bob"]), await create(chat, "b", "2")
        assert await listed(chat, "bob") == [room]
        page = await chat.execute("carol", ListPublicRooms(limit=1))
        assert (list(page.rooms), page.next is None) == ([], False)


async def test_page_of_large_rooms_fits_into_an_answer_and_the_next_goes_on() -> None:
    async with Chat(MemoryStore()) as chat:
        users = [f"{'💬' * 120}{number}" for number in range(19)]
        rooms = [await create(chat, f"{'🎉' * 190}{number:03}", str(number), members=users) for number in range(120)]
        for room in rooms:
            await chat.execute("alice", SendMessage(room=room, body="", data={"text": "x" * 8_000}, key=f"of {room}"))
        pages: list[Any] = []
        after: str | None = None
        while after is not None or not pages:
            pages.append(answer_object(await chat.execute("alice", ListPublicRooms(after=after, limit=200))))
            after = pages[-1].get("next")
        assert [room["room"] for page in pages for room in page["rooms"]] == rooms
        assert len(pages) > 1
        assert max(len(compact_json(page).encode()) for page in pages) <= PUSH_BYTES_MAX
        assert await listed(chat, "stranger", limit=200) == rooms
        assert len((await chat.execute("stranger", ListPublicRooms(limit=200))).rooms) == len(rooms)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", ""),
        ("prefix", "x" * 33),
        ("prefix", "\ud800"),
        ("after", ""),
        ("after", "x" * 4_097),
        ("limit", 0),
        ("limit", 201),
    ],
)
def test_value_out_of_bounds_is_invalid(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        ListPublicRooms(**{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("char", ["\ufdfa", "\U0010ffff", "\U0001f600", "\u0390", "\\", "x"])
def test_token_of_every_title_is_a_valid_after_and_every_prefix_fits(char: str) -> None:
    token = TitlePlace(title_form(char * 200), "room-" + "x" * 26).encoded()
    assert ListPublicRooms(after=token).after == token
    assert len(title_form(char * 32)) <= TITLE_FORM_MAX
    assert title_form(char * 200).startswith(title_form(char * 32))


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("a", "b"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("\uffff", "\U00010000"),
    ],
)
def test_end_of_a_prefix_is_above_all_texts_that_begin_with_it(prefix: str, end: str | None) -> None:
    assert end_of_prefix(prefix) == end
    if end is not None:
        assert prefix + "\U0010ffff" * 5 < end


async def test_token_of_a_page_holds_for_the_room_that_has_moved() -> None:
    async with Chat(MemoryStore()) as chat:
        rooms = [await create(chat, title, title) for title in "abcd"]
        page = await chat.execute("bob", ListPublicRooms(limit=2))
        await chat.execute("alice", UpdateRoom(room=rooms[1], title="z"))
        rest = await chat.execute("bob", ListPublicRooms(after=page.next, limit=50))
        assert [room.view.room for room in rest.rooms] == [rooms[2], rooms[3], rooms[1]]
        with pytest.raises(Invalid):
            await chat.execute("bob", evolve(ListPublicRooms(), after=f"{page.next}x"))
