"""Tests of `RoomViews.catch_up` and `EntryLog.changes`: how readers and nodes learn what they missed."""

from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from functools import partial

import anyio
import pytest

from ..domain.entries import Data, Edited, Reacted
from ..domain.state import Membership
from ..ids import RoomId, Seq, UserId
from ..ports.entry_log import Change, Changes, FeedPosition
from ..ports.store import Store
from .builders import conversation, entry, joined, message, opens
from .logs import HOSTILE_NAMES, everything, write
from .tasks import at_once, meanwhile

WIDE = 10_000_000
TIMEOUT_S = 30


@pytest.mark.anyio
class CatchUpContract:
    async def test_each_room_has_what_lies_above_its_cursor(self, log: Store) -> None:
        entries = {room: conversation(room, 5) for room in ("a", "b", "c", "d")}
        for log_of_room in entries.values():
            await write(log, log_of_room)
        found = await log.catch_up("bob", {"a": 0, "b": 3, "c": 5, "d": 9}, 200, WIDE)
        assert {room: list(one.entries or ()) for room, one in found.items()} == {
            "a": list(entries["a"]),
            "b": list(entries["b"][3:]),
            "c": [],
            "d": [],
        }
        assert all(one.entries is not None and one.view.head == 5 for one in found.values())

    async def test_a_room_comes_as_its_member_sees_it(self, log: Store) -> None:
        await write(log, [message(), message(seq=2), joined("room", 3, "carol"), message(seq=4)])
        found = await log.catch_up("carol", {"room": 3}, 200, WIDE)
        view = found["room"].view
        assert (view.room, view.kind, view.head, view.members_count) == ("room", "group", 4, 3)
        assert (view.member, view.unread, view.last) == (Membership("member", since=3), 1, message(seq=4))

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_rooms_in_which_one_is_no_member_are_left_out_born_or_not(self, log: Store, user: UserId) -> None:
        await write(log, conversation("room", 3))
        await write(log, conversation("mine", 3, users=[user, "bob"]))
        found = await log.catch_up(user, {"room": 0, "unborn": 0, "mine": 0, user: 7}, 200, WIDE)
        assert set(found) == {"mine"}
        assert await log.catch_up(user, {}, 200, WIDE) == {}

    @pytest.mark.parametrize("limit", [1, 200, 201])
    async def test_more_entries_than_the_limit_are_none_at_all(self, log: Store, limit: int) -> None:
        entries = conversation(count=limit + 1)
        await write(log, entries)
        too_many = (await log.catch_up("bob", {"room": 0}, limit, WIDE))["room"]
        assert (too_many.entries, too_many.view.head) == (None, limit + 1)
        just_as_many = (await log.catch_up("bob", {"room": 1}, limit, WIDE))["room"]
        assert list(just_as_many.entries or ()) == list(entries[1:])

    @pytest.mark.parametrize(
        ("body", "data"),
        [("x" * 50, None), ("é" * 25, None), ("🙂" * 10, {"": 12345})],
        ids=["characters of one byte", "of two", "of four, and data"],
    )
    async def test_once_the_texts_have_more_than_the_size_further_rooms_get_no_entries(
        self, log: Store, body: str, data: Data | None
    ) -> None:
        rooms = ("d", "b", "c", "a")
        for room in rooms:
            await write(log, [message(room, seq, body=body, data=data) for seq in (1, 2)])
        assert await self._with_entries(log, rooms, 400) == "dbca"
        assert await self._with_entries(log, rooms, 200) == "dbc"
        assert await self._with_entries(log, rooms, 199) == "db"
        assert await self._with_entries(log, rooms, 0) == "d"

    async def test_bodies_of_edits_and_names_in_reactions_count_as_texts(self, log: Store) -> None:
        edits = [Edited(target=1, version=version, body="x" * 100) for version in (2, 3)]
        for room in "abc":
            await write(log, [message(room, body="x"), *(entry(one, room, n) for n, one in enumerate(edits, 2))])
        assert [await self._with_entries(log, "abc", size) for size in (300, 299)] == ["ab", "a"]
        reaction = Reacted(target=1, emoji="e" * 50, on=True)
        for room in "def":
            await write(log, [message(room, body="x"), entry(reaction, room, 2, "u" * 100)])
        assert [await self._with_entries(log, "def", size) for size in (151, 150)] == ["de", "d"]

    async def _with_entries(self, log: Store, rooms: Sequence[RoomId], size: int) -> str:
        found = await log.catch_up("bob", dict.fromkeys(rooms, 0), 200, size)
        assert list(found) == list(rooms)
        return "".join(room for room in rooms if found[room].entries is not None)

    async def test_five_hundred_rooms_are_caught_up_at_once(self, log: Store) -> None:
        rooms = [f"room {number}" for number in range(500)]
        await at_once([partial(write, log, conversation(room, 2)) for room in rooms])
        found = await log.catch_up("alice", dict.fromkeys(rooms, 1), 200, WIDE)
        assert list(found) == rooms
        assert all([entry.seq for entry in one.entries or ()] == [2] for one in found.values())

    async def test_all_rooms_are_of_one_moment_while_others_write(self, log: Store) -> None:
        async def alternate() -> None:
            for seq in range(1, 60):
                for room in ("first", "second"):
                    await write(log, [message(room, seq)])

        async with meanwhile(alternate) as running:
            while running():
                found = await log.catch_up("alice", {"second": 0, "first": 0}, 200, WIDE)
                heads = {room: one.view.head for room, one in found.items()}
                assert heads.get("first", 0) - heads.get("second", 0) in (0, 1)
                for one in found.values():
                    assert [entry.seq for entry in one.entries or ()] == list(range(1, one.view.head + 1))


@pytest.mark.anyio
class ChangesContract:
    async def test_an_empty_store_has_no_change(self, log: Store) -> None:
        nothing = Changes(changes=[], more=False)
        assert await log.changes(None, 10) == await log.changes(0, 10) == nothing

    async def test_one_starts_from_the_newest_change(self, log: Store) -> None:
        await write(log, conversation("a", 3))
        await write(log, [message("b"), joined("b", 2, "carol")])
        (newest,) = (await log.changes(None, 10)).changes
        assert (newest.room, newest.seq, newest.affects) == ("b", 2, ("carol",))

    async def test_from_0_nothing_is_missed(self, log: Store) -> None:
        await write(log, conversation("a", 3))
        await write(log, [message("b"), joined("b", 2, "carol")])
        assert await _told(log, 0) == ({"a": 3, "b": 2}, {("a", 1), ("b", 1), ("b", 2)})

    async def test_what_was_written_after_a_change_comes_after_it(self, log: Store) -> None:
        await write(log, conversation("before", 3))
        (start,) = (await log.changes(None, 1)).changes
        await write(log, conversation("a", 3))
        await write(log, [message("before", 4, key="new"), joined("before", 5, "carol")])
        heads, memberships = await _told(log, start.position)
        assert heads.items() >= {"a": 3, "before": 5}.items()
        assert memberships >= {("a", 1), ("before", 5)}

    @pytest.mark.parametrize("limit", [1, 2, 200, 1000])
    async def test_changes_come_by_ascending_position_up_to_the_limit(self, log: Store, limit: int) -> None:
        await write(log, conversation("room", 7))
        await write(log, [message("other"), joined("other", 2, "carol")])
        changes: list[Change] = []
        async for some in _followed(log, 0, limit):
            assert len(some) <= limit
            changes.extend(some)
        assert [change.position for change in changes] == sorted(change.position for change in changes)
        assert {change.room: change.seq for change in changes} == {"room": 7, "other": 2}

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_a_change_names_room_and_users_exactly(self, log: Store, name: str) -> None:
        await write(log, [message(name, opens=opens(name, "bob"))])
        (change,) = (await log.changes(None, 1)).changes
        assert (change.room, change.affects) == (name, (name, "bob"))

    async def test_whoever_follows_changes_learns_of_all_that_many_write(self, log: Store) -> None:
        rooms = [f"room {number}" for number in range(8)]
        heads: dict[RoomId, Seq] = {}
        memberships: set[tuple[RoomId, Seq]] = set()

        async def write_all() -> None:
            await at_once([partial(_write_mixed, log, room) for room in rooms])

        async with meanwhile(write_all) as running:
            position: FeedPosition = 0
            with anyio.fail_after(TIMEOUT_S):
                while running() or heads != dict.fromkeys(rooms, 30) or len(memberships) < 8 * 11:
                    for change in (await log.changes(position, 50)).changes:
                        position = max(position, change.position)
                        heads[change.room] = max(heads.get(change.room, 0), change.seq)
                        if change.affects:
                            memberships.add((change.room, change.seq))
        assert memberships == {(room, seq) for room in rooms for seq in (1, *range(3, 31, 3))}
        assert [len(await everything(log, room)) for room in rooms] == [30] * 8


async def _write_mixed(log: Store, room: RoomId) -> None:
    for seq in range(1, 31):
        await write(log, [joined(room, seq, f"user {seq}") if seq % 3 == 0 else message(room, seq)])


async def _followed(log: Store, position: FeedPosition, limit: int) -> AsyncGenerator[Sequence[Change], None]:
    """What calls one after the other give, as long as there is more."""
    more = True
    while more:
        found = await log.changes(position, limit)
        yield found.changes
        assert found.changes or not found.more
        position, more = found.changes[-1].position if found.changes else position, found.more


async def _told(log: Store, position: FeedPosition) -> tuple[Mapping[RoomId, Seq], Set[tuple[RoomId, Seq]]]:
    """The heads that changes tell of, and the entries that change memberships."""
    heads: dict[RoomId, Seq] = {}
    memberships: set[tuple[RoomId, Seq]] = set()
    async for some in _followed(log, position, 100):
        for change in some:
            heads[change.room] = max(heads.get(change.room, 0), change.seq)
            if change.affects:
                memberships.add((change.room, change.seq))
    return heads, memberships
