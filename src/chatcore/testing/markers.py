"""The contract suite of `Markers`."""

from collections.abc import Sequence
from functools import partial

import pytest

from ..domain.state import Marker, MarkerUpdate, Membership
from ..ids import UserId
from ..ports.markers import Markers
from ..ports.store import Store
from .builders import banned, conversation, invited, joined, left, message, opened, opens, removed, unbanned
from .logs import HOSTILE_NAMES, say, write
from .tasks import at_once, meanwhile


@pytest.mark.anyio
class StartContract:
    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_marker_of_a_first_member_starts_at_0(self, log: Store, markers: Markers, user: UserId) -> None:
        await write(log, [opened(user, user, opens=opens(user, "bob")), message(user, 2), message(user, 3)])
        assert await markers.markers(user, [user, "bob"]) == {user: Marker(0, 0), "bob": Marker(0, 0)}

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_marker_of_a_later_member_starts_at_the_joined_entry(
        self, log: Store, markers: Markers, user: UserId
    ) -> None:
        await write(log, [message(), message(seq=2), joined("room", 3, user), message(seq=4)])
        assert await markers.markers("room", [user]) == {user: Marker(3, 3)}

    async def test_messages_move_no_marker(self, log: Store, markers: Markers) -> None:
        await write(log, [*conversation(count=9), joined("room", 10, "carol"), message(seq=11, author="carol")])
        expected = {"alice": Marker(0, 0), "bob": Marker(0, 0), "carol": Marker(10, 10)}
        assert await markers.markers("room", ["alice", "bob", "carol"]) == expected

    async def test_unborn_rooms_and_users_that_are_not_members_have_no_markers(
        self, log: Store, markers: Markers
    ) -> None:
        await write(log, conversation())
        await write(log, [message("other", opens=opens("carol"))])
        assert await markers.markers("room", ["carol", "alice", *HOSTILE_NAMES]) == {"alice": Marker(0, 0)}
        assert await markers.markers("room", []) == {}
        for room in ("unborn", "", *HOSTILE_NAMES):
            assert await markers.markers(room, ["alice"]) == {}

    async def test_marker_of_a_rejoined_member_starts_again(self, log: Store, markers: Markers) -> None:
        await write(log, [message(), joined("room", 2, "carol"), message(seq=3)])
        await markers.mark("carol", "room", MarkerUpdate(read=3, unread_from=1, muted=True))
        await write(log, [left("room", 4, "carol")])
        assert await markers.markers("room", ["carol"]) == {}
        await write(log, [invited("room", 5, "carol")])
        assert await markers.markers("room", ["carol"]) == {}
        await write(log, [joined("room", 6, "carol")])
        assert await markers.markers("room", ["carol"]) == {"carol": Marker(6, 6)}
        await write(log, [banned("room", 7, "carol")])
        assert await markers.markers("room", ["carol"]) == {}

    async def test_marker_of_a_rejoined_first_member_starts_at_the_joined_entry(
        self, log: Store, markers: Markers
    ) -> None:
        await write(log, [message(), removed("room", 2, "bob"), joined("room", 3, "bob")])
        assert await markers.markers("room", ["bob"]) == {"bob": Marker(3, 3)}


@pytest.mark.anyio
class MarkContract:
    async def test_mark_moves_the_marker_and_returns_the_view_after_it(self, log: Store, markers: Markers) -> None:
        entries = conversation(count=10)
        await write(log, entries)
        view = await markers.mark("bob", "room", MarkerUpdate(read=6))
        assert view
        assert (view.room, view.head, view.last, view.member) == ("room", 10, entries[-1], Membership("member", 1))
        assert (view.marker, view.unread) == (Marker(6, 6), 2)
        assert view.markers == {"alice": Marker(0, 0), "bob": Marker(6, 6)}
        assert await markers.markers("room", ["alice", "bob"]) == view.markers

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            pytest.param([MarkerUpdate()], Marker(0, 0), id="empty"),
            pytest.param([MarkerUpdate(delivered=4)], Marker(0, 4), id="delivered"),
            pytest.param([MarkerUpdate(read=4), MarkerUpdate(read=2)], Marker(4, 4), id="read never back"),
            pytest.param(
                [MarkerUpdate(delivered=4), MarkerUpdate(delivered=2)], Marker(0, 4), id="delivered never back"
            ),
            pytest.param([MarkerUpdate(read=2), MarkerUpdate(delivered=4)], Marker(2, 4), id="read, then delivered"),
            pytest.param([MarkerUpdate(read=10)], Marker(10, 10), id="up to head"),
            pytest.param([MarkerUpdate(read=4), MarkerUpdate(unread_from=2)], Marker(4, 4, 2), id="unread from"),
            pytest.param(
                [MarkerUpdate(unread_from=2), MarkerUpdate(read=0)], Marker(0, 0), id="unread from until the next read"
            ),
            pytest.param(
                [MarkerUpdate(unread_from=2), MarkerUpdate(delivered=3)],
                Marker(0, 3, 2),
                id="unread from despite delivered",
            ),
            pytest.param([MarkerUpdate(read=5, unread_from=3)], Marker(5, 5, 3), id="read and unread from"),
            pytest.param([MarkerUpdate(muted=True)], Marker(0, 0, muted=True), id="muted"),
            pytest.param([MarkerUpdate(muted=True), MarkerUpdate(read=1)], Marker(1, 1, muted=True), id="stays muted"),
            pytest.param([MarkerUpdate(muted=True), MarkerUpdate(muted=False)], Marker(0, 0), id="unmuted"),
            pytest.param([MarkerUpdate(read=11, muted=True)], Marker(0, 0), id="read above head"),
            pytest.param([MarkerUpdate(delivered=2**53, muted=True)], Marker(0, 0), id="delivered above head"),
            pytest.param([MarkerUpdate(read=1, unread_from=11)], Marker(0, 0), id="unread from above head"),
        ],
    )
    async def test_marker_is_the_result_of_all_updates(
        self, log: Store, markers: Markers, changes: Sequence[MarkerUpdate], expected: Marker
    ) -> None:
        await write(log, conversation(count=10))
        view = None
        for change in changes:
            view = await markers.mark("bob", "room", change)
        assert view
        assert view.marker == expected
        assert await markers.markers("room", ["alice", "bob"]) == {"alice": Marker(0, 0), "bob": expected}

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_mark_by_a_user_that_is_not_a_member_returns_the_view_unchanged(
        self, log: Store, markers: Markers, user: UserId
    ) -> None:
        change = MarkerUpdate(read=1, muted=True)
        await write(log, [message()])
        await write(log, [message("other", opens=opens(user))])
        states = [None, Membership("member", 2, "invited"), Membership("member", 3, "banned")]
        for entry, membership in zip([None, invited("room", 2, user), banned("room", 3, user)], states, strict=True):
            if entry:
                await write(log, [entry])
            view = await markers.mark(user, "room", change)
            assert view
            assert (view.member, view.marker, view.unread) == (membership, None, 0)
            assert await markers.markers("room", [user]) == {}
        await write(log, [unbanned("room", 4, user), joined("room", 5, user)])
        assert await markers.markers("room", [user]) == {user: Marker(5, 5)}
        assert await markers.markers("other", [user]) == {user: Marker(0, 0)}

    async def test_mark_in_an_unborn_room_returns_none(self, log: Store, markers: Markers) -> None:
        await write(log, conversation())
        for room in ("unborn", "", *HOSTILE_NAMES):
            assert await markers.mark("alice", room, MarkerUpdate(read=0)) is None
            assert await markers.mark("alice", room, MarkerUpdate()) is None

    async def test_concurrent_updates_of_a_marker_are_all_applied(self, log: Store, markers: Markers) -> None:
        await write(log, conversation(count=200))
        changes = [MarkerUpdate(delivered=seq) for seq in range(180, 200)]
        changes += [MarkerUpdate(read=seq) for seq in range(1, 20)]
        changes += [MarkerUpdate(muted=True), MarkerUpdate(read=77, muted=True), MarkerUpdate(delivered=200)]
        await at_once([partial(markers.mark, "bob", "room", change) for change in changes])
        assert await markers.markers("room", ["bob"]) == {"bob": Marker(77, 200, muted=True)}

    async def test_concurrent_marks_return_at_least_their_own_update(self, log: Store, markers: Markers) -> None:
        await write(log, conversation(count=40))
        views = await at_once([partial(markers.mark, "bob", "room", MarkerUpdate(read=n)) for n in range(1, 41)])
        read = [view.marker.read for view in views if view and view.marker]
        assert all(position >= marked for marked, position in enumerate(read, start=1))
        assert len(read) == max(read) == 40

    async def test_concurrent_marks_and_appends_do_not_affect_each_other(self, log: Store, markers: Markers) -> None:
        await write(log, conversation(count=1))

        async def mark() -> None:
            for _ in range(50):
                view = await markers.mark("bob", "room", MarkerUpdate(muted=True))
                assert view
                assert await markers.mark("bob", "room", MarkerUpdate(read=view.head))

        keys = [str(number) for number in range(50)]
        async with meanwhile(partial(say, log, "room", "alice", keys)):
            await mark()
        view = await markers.mark("bob", "room", MarkerUpdate())
        assert view
        assert view.head == 51
        assert view.marker
        assert view.unread == 51 - view.marker.read


class MarkersContract(StartContract, MarkContract):
    """Subclass it, with fixtures ``log``, an open and empty log, and ``markers``, the markers of the same store."""

    @pytest.fixture
    async def log(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    async def markers(self) -> Markers:
        raise NotImplementedError
