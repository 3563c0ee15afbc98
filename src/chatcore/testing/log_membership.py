"""Tests of entries that change memberships: in the state, in the rooms of users, and in windows."""

from collections.abc import Sequence

import pytest

from ..domain.entries import Banned, Entry, Event, Invited, Joined, Left, Removed, RoleChanged, Unbanned, Updated
from ..domain.state import Membership
from ..ids import UserId
from ..ports.room_views import RoomMembership
from ..ports.store import Store
from .builders import (
    banned,
    conversation,
    entry,
    invited,
    joined,
    left,
    message,
    opened,
    opens,
    removed,
    role_changed,
    unbanned,
    updated,
)
from .logs import HOSTILE_NAMES, everything, write
from .model import state_of

JOINED = joined("room", 2, "carol")
CASES = [
    pytest.param([JOINED], Membership("member", since=2), id="joined"),
    pytest.param([joined("room", 2, "carol", role="owner")], Membership("owner", since=2), id="joined as owner"),
    pytest.param([JOINED, left("room", 3, "carol")], None, id="left"),
    pytest.param([JOINED, removed("room", 3, "carol", "why")], None, id="removed"),
    pytest.param([JOINED, banned("room", 3, "carol")], Membership("member", 3, "banned"), id="banned"),
    pytest.param([banned("room", 2, "carol")], Membership("member", 2, "banned"), id="banned without joining"),
    pytest.param([banned("room", 2, "carol"), unbanned("room", 3, "carol")], None, id="unbanned"),
    pytest.param([invited("room", 2, "carol")], Membership("member", 2, "invited"), id="invited"),
    pytest.param([invited("room", 2, "carol"), joined("room", 3, "carol")], Membership("member", 3), id="accepted"),
    pytest.param([invited("room", 2, "carol"), left("room", 3, "carol")], None, id="declined"),
    pytest.param([invited("room", 2, "carol"), removed("room", 3, "carol")], None, id="withdrawn"),
    pytest.param(
        [invited("room", 2, "carol"), banned("room", 3, "carol")],
        Membership("member", 3, "banned"),
        id="invited and banned",
    ),
    pytest.param([JOINED, role_changed("room", 3, "carol", "admin")], Membership("admin", since=2), id="role"),
    pytest.param(
        [JOINED, left("room", 3, "carol"), joined("room", 4, "carol")], Membership("member", 4), id="rejoined"
    ),
]


@pytest.mark.anyio
class MembershipContract:
    @pytest.mark.parametrize("in_one_batch", [False, True], ids=["one by one", "in one batch"])
    @pytest.mark.parametrize(("changes", "member"), CASES)
    async def test_membership_is_the_same_in_every_read(
        self, log: Store, changes: Sequence[Entry], member: Membership | None, in_one_batch: bool
    ) -> None:
        entries = [message(), *changes]
        for batch in [entries] if in_one_batch else [[appended] for appended in entries]:
            await write(log, batch)
        assert await everything(log, "room") == entries
        assert await log.state("room") == state_of(entries)
        assert (await log.state("room")).members.get("carol") == member
        assert (await log.window("carol", "room", "newest", 1, 0)).member == member
        listed = member is not None and member.state != "banned"
        expected = [RoomMembership(room="room", head=len(entries), member=member)] if member and listed else []
        assert await log.memberships("carol") == expected
        assert await log.memberships("carol", "room") == expected
        caught_up = await log.catch_up("carol", {"room": 0}, 200, 10_000)
        assert set(caught_up) == ({"room"} if member and member.state == "member" else set())
        assert await log.memberships("bob") == [
            RoomMembership(room="room", head=len(entries), member=Membership("member", 1))
        ]

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_membership_events_are_stored_unchanged_and_name_affected_users(
        self, log: Store, user: UserId
    ) -> None:
        events: list[Event] = [
            Invited(user=user),
            Joined(user=user, role="admin"),
            RoleChanged(user=user, role="member"),
            Removed(user=user, reason="'; -- \0 🙂"),
            Banned(user=user, reason=""),
            Unbanned(user=user),
            Joined(user=user),
            Updated(title="'Täg' \0 🙂"),
            Left(user=user),
        ]
        entries = [message(), *(entry(event, seq=seq) for seq, event in enumerate(events, start=2))]
        await write(log, entries)
        assert await everything(log, "room") == entries
        affects = {change.seq: change.affects for change in (await log.changes(0, 100)).changes if change.affects}
        assert affects == {1: ("alice", "bob"), **dict.fromkeys((2, 3, 5, 6, 7, 8, 10), (user,))}

    async def test_title_is_the_last_that_was_set(self, log: Store) -> None:
        await write(log, [opened(opens=opens("alice", title="first"))])
        for seq, title in enumerate(["second", "", "'third' 🙂"], start=2):
            await write(log, [updated("room", seq, title)])
            assert (await log.state("room")).title == title

    async def test_owner_can_become_a_member_and_leave(self, log: Store) -> None:
        entries = [
            message(),
            role_changed("room", 2, "bob", "owner"),
            role_changed("room", 3, "alice", "member"),
            left("room", 4, "alice"),
        ]
        await write(log, entries)
        assert dict((await log.state("room")).members) == {"bob": Membership("owner", since=1)}

    async def test_membership_change_affects_no_other_user_and_no_other_room(self, log: Store) -> None:
        for room in ("room", "other"):
            await write(log, [*conversation(room, 3, users=["alice", "bob", "carol"])])
        await write(log, [removed("room", 4, "carol"), banned("room", 5, "bob")])
        assert set((await log.state("other")).members) == {"alice", "bob", "carol"}
        assert [row.room for row in await log.memberships("carol")] == ["other"]
        assert [row.room for row in await log.memberships("bob")] == ["other"]
        assert len(await log.memberships("alice")) == 2
