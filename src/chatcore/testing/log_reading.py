"""Tests of `EntryLog.read_on`, `RoomViews.state` and `RoomViews.memberships`."""

from functools import partial

import pytest

from ..domain.decider import evolve
from ..domain.entries import RoomOpening
from ..domain.state import Membership, RoomState
from ..ids import UserId
from ..ports.entry_log import LogSlice
from ..ports.room_views import RoomMembership
from ..ports.store import Store
from .builders import conversation, joined, message, opened, opens
from .logs import ALMOST_EQUAL, HOSTILE_NAMES, READ_ALL, say, write
from .tasks import meanwhile


@pytest.mark.anyio
class ReadOnContract:
    async def test_read_on_of_an_unborn_room_is_empty(self, log: Store) -> None:
        await write(log, [message("other")])
        for room in ("room", "", *HOSTILE_NAMES):
            assert await log.read_on(room, 0, 10, [("alice", "key-1")]) == LogSlice(head=0, entries=[], by_key={})

    @pytest.mark.parametrize("limit", [0, 1, 199, 200, 201])
    async def test_read_on_returns_head_and_entries_above_seq_up_to_the_limit(self, log: Store, limit: int) -> None:
        entries = conversation(count=200)
        await write(log, entries)
        for after in (0, 1, 100, 199, 200, 201, 2**53):
            log_slice = await log.read_on("room", after, limit)
            assert log_slice == LogSlice(head=200, entries=entries[after : after + limit], by_key={})

    async def test_read_on_returns_entries_by_key_at_any_position(self, log: Store) -> None:
        entries = conversation(count=5)
        await write(log, entries)
        entries_by_key = {(entry.author, entry.key): entry for entry in entries}
        keys_asked = [*entries_by_key, ("alice", "key-2"), ("bob", "key-1"), ("carol", "key-1"), ("alice", "")]
        assert await log.read_on("room", 2, 1, keys_asked) == LogSlice(
            head=5, entries=[entries[2]], by_key=entries_by_key
        )

    async def test_read_on_does_not_return_an_entry_of_another_room_by_key(self, log: Store) -> None:
        await write(log, [message("other", key="k")])
        await write(log, [message("room", key="other")])
        assert (await log.read_on("room", 0, 0, [("alice", "k")])).by_key == {}

    async def test_read_on_is_consistent_during_writes(self, log: Store) -> None:
        keys = [str(number) for number in range(100)]
        keys_asked = [("alice", key) for key in keys]
        async with meanwhile(partial(say, log, "room", "alice", keys)) as running:
            while running():
                log_slice = await log.read_on("room", 0, READ_ALL, keys_asked)
                assert [entry.seq for entry in log_slice.entries] == list(range(1, log_slice.head + 1))
                assert list(log_slice.by_key.values()) == list(log_slice.entries)


@pytest.mark.anyio
class StateContract:
    @pytest.mark.parametrize("room", ["room", "", *HOSTILE_NAMES])
    async def test_state_of_an_unborn_room_is_empty(self, log: Store, room: str) -> None:
        assert await log.state(room) == RoomState(room=room)

    @pytest.mark.parametrize(
        "opening",
        [
            opens("alice", "bob", kind="private"),
            opens("alice", *HOSTILE_NAMES, title="'Täg' 🙂"),
            opens("alice", kind="public", title="LogSlice"),
        ],
        ids=lambda opening: opening.kind,
    )
    async def test_state_is_the_fold_of_the_entries(self, log: Store, opening: RoomOpening) -> None:
        entries = [
            opened(opens=opening),
            message(seq=2),
            joined("room", 3, "carol"),
            joined("room", 4, "bob", role="admin"),
            message(seq=5, author="carol"),
        ]
        state = RoomState(room="room")
        for entry in entries:
            await write(log, [entry])
            state = evolve(state, entry)
            assert await log.state("room") == state

    async def test_state_includes_every_entry_of_a_batch(self, log: Store) -> None:
        entries = [message(), joined("room", 2, "carol"), message(seq=3), joined("room", 4, "dave")]
        await write(log, entries)
        state = await log.state("room")
        assert state.head == 4
        assert {user: member.since for user, member in state.members.items()} == {
            "alice": 1,
            "bob": 1,
            "carol": 2,
            "dave": 4,
        }

    async def test_members_are_compared_by_code_points(self, log: Store) -> None:
        await write(log, [opened(opens=opens(*ALMOST_EQUAL))])
        assert set((await log.state("room")).members) == set(ALMOST_EQUAL)

    async def test_state_is_consistent_during_writes(self, log: Store) -> None:
        async def join() -> None:
            for seq in range(2, 60):
                await write(log, [joined("room", seq, f"user {seq}")])

        await write(log, [message()])
        async with meanwhile(join) as running:
            while running():
                state = await log.state("room")
                assert len(state.members) == state.head + 1


@pytest.mark.anyio
class MembershipsContract:
    async def test_user_without_rooms_has_no_memberships(self, log: Store) -> None:
        await write(log, conversation())
        for user in ("carol", *HOSTILE_NAMES):
            assert await log.memberships(user) == []
            assert await log.memberships(user, "room") == []

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_memberships_are_the_rooms_opened_with_the_user_or_joined(self, log: Store, user: UserId) -> None:
        await write(log, [message("opened", opens=opens(user, "bob"))])
        await write(log, [message("joined"), message("joined", 2), joined("joined", 3, user, role="admin")])
        await write(log, [message("not theirs")])
        rows = {row.room: row for row in await log.memberships(user)}
        assert rows == {
            "opened": RoomMembership(room="opened", head=1, member=Membership("owner", since=1)),
            "joined": RoomMembership(room="joined", head=3, member=Membership("admin", since=3)),
        }
        for room, row in rows.items():
            assert await log.memberships(user, room) == [row]
        assert await log.memberships(user, "not theirs") == []
        assert await log.memberships(user, "unborn") == []

    async def test_membership_has_the_current_head_of_its_room(self, log: Store) -> None:
        for entry in conversation(count=5):
            await write(log, [entry])
            (row,) = await log.memberships("bob")
            assert (row.head, row.member.since) == (entry.seq, 1)

    async def test_user_can_have_300_memberships(self, log: Store) -> None:
        rooms = {f"room {number}" for number in range(300)}
        for room in rooms:
            await write(log, [message(room)])
        assert {row.room for row in await log.memberships("bob")} == rooms

    async def test_new_member_has_the_room_when_append_returns(self, log: Store) -> None:
        await write(log, [message()])
        for seq in range(2, 20):
            await write(log, [joined("room", seq, f"user {seq}")])
            (row,) = await log.memberships(f"user {seq}")
            assert row == RoomMembership(room="room", head=seq, member=Membership("member", since=seq))
