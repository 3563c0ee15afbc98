"""Tests of `RoomViews.catch_up` and `EntryLog.changes`, which give readers and nodes the entries they missed."""

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
    async def test_catch_up_returns_the_entries_above_each_cursor(self, log: Store) -> None:
        entries = {room: conversation(room, 5) for room in ("a", "b", "c", "d")}
        for log_of_room in entries.values():
            await write(log, log_of_room)
        caught_up = await log.catch_up("bob", {"a": 0, "b": 3, "c": 5, "d": 9}, 200, WIDE)
        assert {room: list(room_log.entries or ()) for room, room_log in caught_up.items()} == {
            "a": list(entries["a"]),
            "b": list(entries["b"][3:]),
            "c": [],
            "d": [],
        }
        assert all(room_log.entries is not None and room_log.view.head == 5 for room_log in caught_up.values())

    async def test_catch_up_returns_the_room_as_its_member_sees_it(self, log: Store) -> None:
        await write(log, [message(), message(seq=2), joined("room", 3, "carol"), message(seq=4)])
        caught_up = await log.catch_up("carol", {"room": 3}, 200, WIDE)
        view = caught_up["room"].view
        assert (view.room, view.kind, view.head, view.members_count) == ("room", "group", 4, 3)
        assert (view.member, view.unread, view.last) == (Membership("member", since=3), 1, message(seq=4))

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_catch_up_leaves_out_rooms_of_other_users_and_unborn_rooms(self, log: Store, user: UserId) -> None:
        await write(log, conversation("room", 3))
        await write(log, conversation("mine", 3, users=[user, "bob"]))
        caught_up = await log.catch_up(user, {"room": 0, "unborn": 0, "mine": 0, user: 7}, 200, WIDE)
        assert set(caught_up) == {"mine"}
        assert await log.catch_up(user, {}, 200, WIDE) == {}

    @pytest.mark.parametrize("limit", [1, 200, 201])
    async def test_catch_up_above_the_entry_limit_returns_no_entries(self, log: Store, limit: int) -> None:
        entries = conversation(count=limit + 1)
        await write(log, entries)
        above_limit = (await log.catch_up("bob", {"room": 0}, limit, WIDE))["room"]
        assert (above_limit.entries, above_limit.view.head) == (None, limit + 1)
        at_limit = (await log.catch_up("bob", {"room": 1}, limit, WIDE))["room"]
        assert list(at_limit.entries or ()) == list(entries[1:])

    @pytest.mark.parametrize(
        ("body", "data"),
        [("x" * 50, None), ("é" * 25, None), ("🙂" * 10, {"": 12345})],
        ids=["1 byte a character", "2 bytes a character", "4 bytes a character, and data"],
    )
    async def test_catch_up_above_the_size_limit_returns_further_rooms_without_entries(
        self, log: Store, body: str, data: Data | None
    ) -> None:
        rooms = ("d", "b", "c", "a")
        for room in rooms:
            await write(log, [message(room, seq, body=body, data=data) for seq in (1, 2)])
        assert await self._with_entries(log, rooms, 400) == "dbca"
        assert await self._with_entries(log, rooms, 200) == "dbc"
        assert await self._with_entries(log, rooms, 199) == "db"
        assert await self._with_entries(log, rooms, 0) == "d"

    async def test_bodies_of_edits_and_names_in_reactions_count_for_the_size(self, log: Store) -> None:
        edits = [Edited(target=1, version=version, body="x" * 100) for version in (2, 3)]
        for room in "abc":
            await write(log, [message(room, body="x"), *(entry(edit, room, seq) for seq, edit in enumerate(edits, 2))])
        assert [await self._with_entries(log, "abc", size) for size in (300, 299)] == ["ab", "a"]
        reaction = Reacted(target=1, emoji="e" * 50, on=True)
        for room in "def":
            await write(log, [message(room, body="x"), entry(reaction, room, 2, "u" * 100)])
        assert [await self._with_entries(log, "def", size) for size in (151, 150)] == ["de", "d"]

    async def _with_entries(self, log: Store, rooms: Sequence[RoomId], size: int) -> str:
        caught_up = await log.catch_up("bob", dict.fromkeys(rooms, 0), 200, size)
        assert list(caught_up) == list(rooms)
        return "".join(room for room in rooms if caught_up[room].entries is not None)

    async def test_catch_up_of_500_rooms_returns_all(self, log: Store) -> None:
        rooms = [f"room {number}" for number in range(500)]
        await at_once([partial(write, log, conversation(room, 2)) for room in rooms])
        caught_up = await log.catch_up("alice", dict.fromkeys(rooms, 1), 200, WIDE)
        assert list(caught_up) == rooms
        assert all([entry.seq for entry in room_log.entries or ()] == [2] for room_log in caught_up.values())

    async def test_catch_up_is_consistent_across_rooms_during_writes(self, log: Store) -> None:
        async def alternate() -> None:
            for seq in range(1, 60):
                for room in ("first", "second"):
                    await write(log, [message(room, seq)])

        async with meanwhile(alternate) as running:
            while running():
                caught_up = await log.catch_up("alice", {"second": 0, "first": 0}, 200, WIDE)
                heads = {room: room_log.view.head for room, room_log in caught_up.items()}
                assert heads.get("first", 0) - heads.get("second", 0) in (0, 1)
                for room_log in caught_up.values():
                    assert [entry.seq for entry in room_log.entries or ()] == list(range(1, room_log.view.head + 1))


@pytest.mark.anyio
class ChangesContract:
    async def test_empty_store_has_no_changes(self, log: Store) -> None:
        empty = Changes(changes=[], more=False)
        assert await log.changes(None, 10) == await log.changes(0, 10) == empty

    async def test_changes_without_a_position_returns_the_newest_change(self, log: Store) -> None:
        await write(log, conversation("a", 3))
        await write(log, [message("b"), joined("b", 2, "carol")])
        (newest,) = (await log.changes(None, 10)).changes
        assert (newest.room, newest.seq, newest.affects) == ("b", 2, ("carol",))

    async def test_changes_after_position_0_returns_all(self, log: Store) -> None:
        await write(log, conversation("a", 3))
        await write(log, [message("b"), joined("b", 2, "carol")])
        assert await _changed(log, 0) == ({"a": 3, "b": 2}, {("a", 1), ("b", 1), ("b", 2)})

    async def test_changes_after_a_position_returns_later_writes(self, log: Store) -> None:
        await write(log, conversation("before", 3))
        (start,) = (await log.changes(None, 1)).changes
        await write(log, conversation("a", 3))
        await write(log, [message("before", 4, key="new"), joined("before", 5, "carol")])
        heads, memberships = await _changed(log, start.position)
        assert heads.items() >= {"a": 3, "before": 5}.items()
        assert memberships >= {("a", 1), ("before", 5)}

    @pytest.mark.parametrize("limit", [1, 2, 200, 1000])
    async def test_changes_are_in_ascending_order_up_to_the_limit(self, log: Store, limit: int) -> None:
        await write(log, conversation("room", 7))
        await write(log, [message("other"), joined("other", 2, "carol")])
        changes: list[Change] = []
        async for batch in _feed(log, 0, limit):
            assert len(batch) <= limit
            changes.extend(batch)
        assert [change.position for change in changes] == sorted(change.position for change in changes)
        assert {change.room: change.seq for change in changes} == {"room": 7, "other": 2}

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_change_names_room_and_users_exactly(self, log: Store, name: str) -> None:
        await write(log, [message(name, opens=opens(name, "bob"))])
        (change,) = (await log.changes(None, 1)).changes
        assert (change.room, change.affects) == (name, (name, "bob"))

    async def test_change_feed_reports_every_concurrent_write(self, log: Store) -> None:
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


async def _feed(log: Store, position: FeedPosition, limit: int) -> AsyncGenerator[Sequence[Change], None]:
    """Yield the batches of the change feed after ``position`` until its end."""
    more = True
    while more:
        batch = await log.changes(position, limit)
        yield batch.changes
        assert batch.changes or not batch.more
        position, more = batch.changes[-1].position if batch.changes else position, batch.more


async def _changed(log: Store, position: FeedPosition) -> tuple[Mapping[RoomId, Seq], Set[tuple[RoomId, Seq]]]:
    """The heads that the change feed reports, and the positions of entries that change memberships."""
    heads: dict[RoomId, Seq] = {}
    memberships: set[tuple[RoomId, Seq]] = set()
    async for batch in _feed(log, position, 100):
        for change in batch:
            heads[change.room] = max(heads.get(change.room, 0), change.seq)
            if change.affects:
                memberships.add((change.room, change.seq))
    return heads, memberships
