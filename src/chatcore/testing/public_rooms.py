"""The contract suite of the list of public rooms, a part of `RoomViewsContract`."""

from collections.abc import Sequence
from functools import partial

import pytest

from ..domain.names import TITLE_FORM_MAX, search_form, title_form
from ..domain.page_tokens import TitlePlace
from ..domain.state import MarkerUpdate, RoomView
from ..errors import Invalid
from ..ids import RoomId, UserId
from ..ports.room_views import PUBLIC_ROOMS_LOOKED_AT, RoomViews
from ..ports.store import Store
from .builders import (
    banned,
    conversation,
    invited,
    joined,
    left,
    message,
    opened,
    opens,
    removed,
    unbanned,
    updated,
)
from .logs import HOSTILE_NAMES, write
from .tasks import meanwhile

HOSTILE_TITLES = [
    *HOSTILE_NAMES,
    "%",
    "_",
    "a%",
    "a\U0010ffff",
    "a\U0010ffffz",
    "\U0010ffff" * 200,
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U00010000",
    "\ufdfa" * 200,
    "\u0130",
    "ß",
    "'",
    '"',
    "\\",
    "$gte",
    "null",
    "5",
]
MALFORMED_PLACES = [
    "",
    "x",
    "null",
    "WzEsMV0",  # [1,1], the form of the tokens of a user's rooms
    "WyJhIl0",  # ["a"]
    "WyJhIiwgImIiXQ",  # ["a", "b"] with a space
    "WyJcdWQ4MDAiLCJiIl0",  # a lone surrogate
    "WyJhIixudWxsXQ",
    "🙂",
    "\ud800",
    "a\0b",
    "W" * 10_000,
    "' OR 1=1; --",
]


@pytest.mark.anyio
class PublicRoomsContract:
    async def test_only_public_rooms_are_found(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, tea="Tea")
        await write(log, [opened("group", opens=opens("alice", "bob", title="Tea"))])
        await write(log, conversation("private", 1, kind="private"))
        for user in ("alice", "bob", "carol", *HOSTILE_NAMES):
            assert await found(rooms, user) == ["tea"]
            assert await found(rooms, user, "te") == ["tea"]
            assert await found(rooms, user, "group") == []

    async def test_public_rooms_are_sorted_by_the_form_of_their_titles_then_by_id(
        self, log: Store, rooms: RoomViews
    ) -> None:
        await open_public(log, e="tea", d="Tea", c="Cake", b="\uff34\uff25\uff21", a="Éclair", f="E\u0301clair")
        assert await found(rooms, "carol") == ["c", "b", "d", "e", "a", "f"]

    async def test_prefix_is_compared_without_case_width_and_composition(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, a="Zo\u00eb's CAF\u00c9", b="Zoe", c="zo")
        for prefix in ("zo\u00eb", "ZO\u00cb", "Zoe\u0308", "\uff3a\uff4f\u00eb", "Zo\u00cb'S caf\u00e9"):
            assert await found(rooms, "carol", prefix) == ["a"]
        assert await found(rooms, "carol", "zO") == ["c", "b", "a"]
        assert await found(rooms, "carol", "oe") == []

    async def test_every_title_is_found_by_each_of_its_starts(self, log: Store, rooms: RoomViews) -> None:
        titles = {f"room {number}": title for number, title in enumerate(HOSTILE_TITLES)}
        await open_public(log, **titles)
        in_order = sorted(titles, key=lambda room: (title_form(titles[room]), room))
        assert await found(rooms, "carol", limit=1) == in_order
        for title in HOSTILE_TITLES:
            for start in (title[:1], title[:2], title[:32]):
                starting = [room for room in in_order if title_form(titles[room]).startswith(search_form(start))]
                assert await found(rooms, "carol", start, 3) == starting

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 200])
    async def test_paging_returns_each_public_room_once(self, log: Store, rooms: RoomViews, limit: int) -> None:
        titles = {"c": "same", "a": "Same", "g": "same", "b": "other", "e": "sam", "d": "samea", "f": "same"}
        await open_public(log, **titles)
        paged = await public_pages(rooms, "carol", "", limit)
        assert [view.room for page in paged for view in page] == ["b", "e", "a", "c", "f", "g", "d"]
        assert [len(page) for page in paged[:-1]] == [limit] * (len(paged) - 1)
        assert 1 <= len(paged[-1]) <= limit

    async def test_room_with_another_title_is_found_under_that_alone(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, a="Tea", b="Cake", c="Wine")
        await write(log, [updated("a", 2, "Dumplings"), message("a", 3), updated("a", 4, "dumplings at ten")])
        assert await found(rooms, "carol") == ["b", "a", "c"]
        assert (await found(rooms, "carol", "tea"), await found(rooms, "carol", "dump")) == ([], ["a"])
        for seq, title in ((5, "Tea"), (6, "TEA"), (7, "Zwieback"), (8, "Tea")):
            await write(log, [updated("a", seq, title)])
            assert await found(rooms, "carol", limit=1) == (["b", "c", "a"] if title == "Zwieback" else ["b", "a", "c"])

    async def test_room_is_missing_for_banned_users_until_the_ban_ends(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, a="Tea", b="Tea", c="Tea")
        await write(log, [banned("b", 2, "bob"), banned("b", 3, "carol"), joined("b", 4, "dave")])
        await write(log, [removed("c", 2, "bob"), left("c", 3, "carol"), invited("c", 4, "erin")])
        for user in ("bob", "carol"):
            assert await found(rooms, user, "tea", 1) == ["a", "c"]
        for user in ("alice", "dave", "erin", "eve"):
            assert await found(rooms, user, "tea", 1) == ["a", "b", "c"]
        await write(log, [unbanned("b", 5, "carol")])
        assert await found(rooms, "carol", "tea") == ["a", "b", "c"]

    async def test_room_without_members_is_missing_until_a_user_joins(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, a="Tea", b="Tea")
        await write(log, [removed("a", 2, "bob"), left("a", 3, "alice")])
        await write(log, [left("b", 2, "alice"), left("b", 3, "bob"), joined("b", 4, "carol")])
        assert await found(rooms, "dave") == ["b"]
        await write(log, [joined("a", 4, "bob"), updated("a", 5, "Cake"), left("a", 6, "bob")])
        assert await found(rooms, "dave") == ["b"]
        await write(log, [joined("a", 7, "dave"), joined("a", 8, "bob")])
        assert await found(rooms, "dave") == ["a", "b"]
        assert await found(rooms, "dave", "cake") == ["a"]

    async def test_each_public_room_is_shown_as_views_does(self, log: Store, rooms: RoomViews) -> None:
        await write(log, conversation("a", 5, users=["alice", "bob"], kind="public"))
        await write(log, [*conversation("b", 3, users=["alice"], kind="public"), joined("b", 4, "bob")])
        await write(log, [invited("a", 6, "carol")])
        await write(log, [message("b", 5)])
        await log.mark("bob", "a", MarkerUpdate(read=2))
        for user in ("alice", "bob", "carol", "dave"):
            views = [view for page in await public_pages(rooms, user, "", 200) for view in page]
            assert [view.room for view in views] == ["a", "b"]
            for view in views:
                assert await rooms.views(view.room, [user]) == {user: view}

    async def test_user_banned_from_many_rooms_gets_short_pages_to_the_end(self, log: Store, rooms: RoomViews) -> None:
        names = [f"room {number:04}" for number in range(2 * PUBLIC_ROOMS_LOOKED_AT + 9)]
        batches = [[opened(room, opens=opens("alice", kind="public", title="Tea"))] for room in names]
        for room, batch in zip(names[1:-1], batches[1:-1], strict=True):
            batch.append(banned(room, 2, "eve"))
        for start in range(0, len(batches), 200):
            await log.append_all(batches[start : start + 200])
        paged = await public_pages(rooms, "eve", "tea", 10)
        assert [view.room for page in paged for view in page] == [names[0], names[-1]]
        assert len(paged) <= 4
        first = await rooms.public_rooms("carol", "tea", None, 200)
        assert [view.room for view in first.rooms] == names[:200]

    @pytest.mark.parametrize("token", MALFORMED_PLACES)
    async def test_malformed_token_of_public_rooms_is_invalid(self, log: Store, rooms: RoomViews, token: str) -> None:
        await open_public(log, a="Tea")
        with pytest.raises(Invalid) as refused:
            await rooms.public_rooms("bob", "", token, 10)
        assert refused.value.field == "after"

    async def test_token_of_any_place_begins_above_it(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, a="Cake", b="Tea", c="Tea", d="Wine")
        for form, room, expected in (
            ("", "", ["b", "c"]),
            ("cake", "a", ["b", "c"]),
            ("te", "x", ["b", "c"]),
            ("tea", "", ["b", "c"]),
            ("tea", "b", ["c"]),
            ("tea", "\0", ["b", "c"]),
            ("tea", "zz", []),
            ("tea\0", "", []),
            ("wine", "d", []),
            ("\U0010ffff", "🙂", []),
        ):
            page = await rooms.public_rooms("carol", "tea", TitlePlace(form, room).encoded(), 10)
            assert [view.room for view in page.rooms] == expected, (form, room)

    async def test_token_of_the_longest_titles_is_bounded(self, log: Store, rooms: RoomViews) -> None:
        titles = {"c": "\ufdfa" * 200, "b": "\ufdfa" * 199, "a": "\U0001f600" * 200, "d": "\\" * 200}
        await open_public(log, **titles)
        page = await rooms.public_rooms("carol", "", None, 1)
        tokens: list[str] = []
        while page.next:
            tokens.append(page.next)
            page = await rooms.public_rooms("carol", "", page.next, 1)
        assert len(tokens) == 3
        assert max(map(len, tokens)) <= 4 * TITLE_FORM_MAX
        assert await found(rooms, "carol", limit=1) == ["d", "b", "c", "a"]

    async def test_other_rooms_are_found_once_while_one_gets_other_titles(self, log: Store, rooms: RoomViews) -> None:
        await open_public(log, b="b", d="d", f="f", moving="a")
        titles = [updated("moving", seq, "aceg"[seq % 4]) for seq in range(2, 80)]

        async def rename() -> None:
            for entry in titles:
                await write(log, [entry])

        async with meanwhile(rename) as running:
            while running():
                for limit in (1, 2, 10):
                    for page in [await found(rooms, "carol", limit=limit)]:
                        assert [room for room in page if room != "moving"] == ["b", "d", "f"]
        assert await found(rooms, "carol", "aceg"[79 % 4]) == ["moving"]


async def open_public(log: Store, **titles: str) -> None:
    """Open public rooms of alice and bob with these titles."""
    for room, title in titles.items():
        await write(log, [opened(room, opens=opens("alice", "bob", kind="public", title=title))])


async def found(rooms: RoomViews, user: UserId, prefix: str = "", limit: int = 200) -> Sequence[RoomId]:
    """Return the ids of all public rooms with a title that begins with ``prefix``."""
    return [view.room for page in await public_pages(rooms, user, prefix, limit) for view in page]


async def public_pages(rooms: RoomViews, user: UserId, prefix: str, limit: int) -> Sequence[Sequence[RoomView]]:
    """Return the rooms of each page of the public rooms with a title that begins with ``prefix``."""
    read = partial(rooms.public_rooms, user, title_form(prefix))
    page = await read(None, limit)
    paged = [page.rooms]
    while page.next:
        page = await read(page.next, limit)
        paged.append(page.rooms)
    return paged
