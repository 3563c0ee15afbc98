"""The contract suite of `RoomViews`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest

from ..domain.entries import RoomOpening
from ..domain.state import Marker, MarkerUpdate, Membership, RoomView
from ..errors import Invalid
from ..ids import RoomId, UserId
from ..ports.room_views import RoomMembers, RoomViews, UnreadTotal
from ..ports.store import Store
from .builders import (
    NOON,
    banned,
    conversation,
    deleted,
    edited,
    invited,
    joined,
    left,
    message,
    opened,
    opens,
    reacted,
    removed,
    role_changed,
    updated,
)
from .logs import HOSTILE_NAMES, say, write
from .public_rooms import PublicRoomsContract
from .tasks import meanwhile

MALFORMED_TOKENS = [
    "",
    "x",
    "=",
    "null",
    "W10",
    "WzEsMV0=",
    "WzEsMV0 ",
    "W3RydWUsIiJd",
    "WzFlOTk5LDFd",
    "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAsMV0",
    "🙂",
    "\ud800",
    "a\0b",
    "W" * 10_000,
    "' OR 1=1; --",
]


@pytest.mark.anyio
class PageContract:
    async def test_page_of_a_user_without_rooms_is_empty(self, log: Store, rooms: RoomViews) -> None:
        await write(log, conversation())
        for user in ("carol", *HOSTILE_NAMES):
            page = await rooms.page(user, None, 10)
            assert (page.rooms, page.next) == ([], None)

    async def test_rooms_are_in_order_of_their_last_entry_newest_first(self, log: Store, rooms: RoomViews) -> None:
        for room, second in (("b", 3), ("a", 1), ("c", 2)):
            await write(log, [message(room, at=NOON.replace(second=second))])
        assert await pages(rooms, "bob", 10) == [["b", "c", "a"]]
        await write(log, [joined("a", 2, "carol")])
        await write(log, [message("c", 2, at=NOON.replace(second=2, microsecond=1000))])
        await write(log, [message("b", 2, at=NOON.replace(second=1))])
        assert await pages(rooms, "bob", 10) == [["c", "a", "b"]]

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 200])
    async def test_paging_returns_each_room_once_even_at_equal_times(
        self, log: Store, rooms: RoomViews, limit: int
    ) -> None:
        names = [f"room {number}" for number in (3, 1, 6, 0, 5, 2, 4)]
        for number, room in enumerate(names):
            await write(log, [message(room, at=NOON.replace(second=0 if number < 5 else 1))])
        paged = await pages(rooms, "bob", limit)
        assert sorted(room for page in paged for room in page) == sorted(names)
        assert {room for page in paged for room in page[:2]} >= set(names[5:]) or limit == 1
        assert [len(page) for page in paged[:-1]] == [limit] * (len(paged) - 1)
        assert len(paged[-1]) == len(names) - limit * (len(paged) - 1)

    async def test_page_of_all_rooms_has_no_next_token(self, log: Store, rooms: RoomViews) -> None:
        for room in ("a", "b"):
            await write(log, [message(room)])
        assert (await rooms.page("bob", None, 2)).next is None
        assert (await rooms.page("bob", None, 1)).next is not None

    async def test_room_that_moves_to_the_top_is_not_repeated_below(self, log: Store, rooms: RoomViews) -> None:
        for second, room in enumerate("abcdef"):
            await write(log, [message(room, at=NOON.replace(second=second))])
        first = await rooms.page("bob", None, 2)
        await write(log, [message("c", 2, at=NOON.replace(second=30))])
        rest = await rooms.page("bob", first.next, 10)
        assert [view.room for view in (*first.rooms, *rest.rooms)] == ["f", "e", "d", "b", "a"]

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_page_has_the_rooms_that_the_user_opened_or_joined(
        self, log: Store, rooms: RoomViews, user: UserId
    ) -> None:
        await write(log, [message(user, opens=opens("bob", user))])
        await write(log, [message("joined"), joined("joined", 2, user)])
        await write(log, conversation("not joined", 3))
        assert await pages(rooms, user, 1) == [["joined"], [user]]

    async def test_page_shows_each_room_as_views_does(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [message("room", 1), joined("room", 2, "carol"), message("room", 3, body="'last'")])
        await write(log, conversation("other", 5, kind="private"))
        for user in ("alice", "bob", "carol"):
            for view in (await rooms.page(user, None, 10)).rooms:
                assert await rooms.views(view.room, [user]) == {user: view}

    async def test_page_has_the_rooms_of_memberships_and_invitations(self, log: Store, rooms: RoomViews) -> None:
        endings = {
            "joined": [joined("joined", 2, "carol")],
            "invited": [invited("invited", 2, "carol")],
            "left": [joined("left", 2, "carol"), left("left", 3, "carol")],
            "declined": [invited("declined", 2, "carol"), left("declined", 3, "carol")],
            "removed": [joined("removed", 2, "carol"), removed("removed", 3, "carol")],
            "banned": [joined("banned", 2, "carol"), banned("banned", 3, "carol")],
            "back": [joined("back", 2, "carol"), left("back", 3, "carol"), joined("back", 4, "carol")],
        }
        for room, entries in endings.items():
            await write(log, [message(room), *entries, message(room, len(entries) + 2)])
        views = {view.room: view for view in (await rooms.page("carol", None, 10)).rooms}
        assert {room: (view.member, view.unread) for room, view in views.items()} == {
            "joined": (Membership("member", since=2), 1),
            "invited": (Membership("member", since=2, state="invited"), 0),
            "back": (Membership("member", since=4), 1),
        }

    @pytest.mark.parametrize("token", MALFORMED_TOKENS)
    async def test_malformed_page_token_is_invalid(self, log: Store, rooms: RoomViews, token: str) -> None:
        await write(log, conversation())
        with pytest.raises(Invalid) as refused:
            await rooms.page("bob", token, 10)
        assert refused.value.field == "after"

    async def test_altered_page_token_is_invalid(self, log: Store, rooms: RoomViews) -> None:
        for room in ("a", "b"):
            await write(log, [message(room)])
        token = (await rooms.page("bob", None, 1)).next
        assert token
        for altered in (token + "A", token + "=", " " + token, token[:-1], token[1:]):
            with pytest.raises(Invalid):
                await rooms.page("bob", altered, 10)

    async def test_rooms_with_extreme_times_are_in_order(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [message("old", at=datetime(1969, 12, 31, 23, 59, 59, 1000, UTC))])
        await write(log, [message("far", at=datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC))])
        assert await pages(rooms, "bob", 1) == [["far"], ["old"]]


@pytest.mark.anyio
class ViewsContract:
    async def test_unborn_room_has_no_views(self, log: Store, rooms: RoomViews) -> None:
        await write(log, conversation())
        for room in ("unborn", "", *HOSTILE_NAMES):
            await log.window("alice", room, "newest", 10, 0)
            await log.state(room)
            assert await rooms.views(room, ["alice", "bob"]) == {}

    @pytest.mark.parametrize(
        "opening",
        [
            opens("alice", "bob", kind="private"),
            opens("alice", "bob", title="'Täg' 🙂"),
            opens("alice", "bob", kind="public"),
        ],
        ids=lambda opening: opening.kind,
    )
    async def test_view_has_the_properties_of_the_room(
        self, log: Store, rooms: RoomViews, opening: RoomOpening
    ) -> None:
        await write(log, [opened(opens=opening), joined("room", 2, "carol"), message(seq=3)])
        views = await rooms.views("room", ["bob"])
        assert views == {
            "bob": RoomView(
                room="room",
                kind=opening.kind,
                title=opening.title,
                head=3,
                members_count=3,
                last=message(seq=3),
                member=Membership("member", since=1),
                marker=Marker(0, 0),
                unread=1,
                markers={"alice": Marker(0, 0), "bob": Marker(0, 0), "carol": Marker(2, 2)},
            )
        }

    async def test_each_view_has_membership_and_marker_of_its_user(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [message(), joined("room", 2, "carol"), message(seq=3)])
        views = await rooms.views("room", ["alice", "carol", "stranger", *HOSTILE_NAMES])
        assert {user: (view.member, view.marker) for user, view in views.items()} == {
            "alice": (Membership("owner", since=1), Marker(0, 0)),
            "carol": (Membership("member", since=2), Marker(2, 2)),
            **dict.fromkeys(["stranger", *HOSTILE_NAMES], (None, None)),
        }
        assert await rooms.views("room", []) == {}

    @pytest.mark.parametrize("count", [0, 1, 98, 99, 100, 101, 250])
    async def test_unread_is_exact_up_to_99_then_100(self, log: Store, rooms: RoomViews, count: int) -> None:
        await write(log, [opened(opens=opens("alice", "bob"))])
        await write(log, [message("room", seq) for seq in range(2, count + 2)])
        views = await rooms.views("room", ["alice", "bob"])
        assert (views["alice"].unread, views["bob"].unread) == (0, min(count, 100))

    async def test_unread_counts_messages_of_others_above_the_read_marker(self, log: Store, rooms: RoomViews) -> None:
        entries = [
            message(),
            message(seq=2, author="bob"),
            joined("room", 3, "carol"),
            message(seq=4, author="carol"),
            message(seq=5),
            joined("room", 6, "dave"),
        ]
        await write(log, entries)
        views = await rooms.views("room", ["alice", "bob", "carol", "dave"])
        assert {user: view.unread for user, view in views.items()} == {"alice": 2, "bob": 3, "carol": 1, "dave": 0}

    async def test_deleted_message_is_not_unread(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [message(), message(seq=2), message(seq=3, author="bob"), message(seq=4)])
        for seq, target, alices, bobs in ((5, 2, 1, 2), (6, 3, 0, 2), (7, 1, 0, 1), (8, 4, 0, 0)):
            await write(log, [deleted(seq, target)])
            views = await rooms.views("room", ["alice", "bob"])
            assert (views["alice"].unread, views["bob"].unread) == (alices, bobs)

    async def test_edits_and_reactions_are_not_unread(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [message(), edited(2), reacted(3, "alice"), updated("room", 4, "title"), message(seq=5)])
        assert (await rooms.views("room", ["bob"]))["bob"].unread == 2

    @pytest.mark.parametrize("count", [98, 99, 100, 101, 150])
    async def test_unread_is_exact_across_long_runs_of_own_and_deleted_messages(
        self, log: Store, rooms: RoomViews, count: int
    ) -> None:
        entries = [message(seq=1, author="bob", opens=opens("alice", "bob"))]
        for number in range(count):
            own = 300 if number in (3, 50) else number % 3
            entries += [message(seq=len(entries) + n, author="bob") for n in range(1, own + 1)]
            entries += [message(seq=len(entries) + n, author="alice") for n in (1, 2)]
        targets = [entry.seq for entry in entries if entry.author == "alice"][::2]
        await write(log, [*entries, *(deleted(seq, target) for seq, target in enumerate(targets, len(entries) + 1))])
        assert (await rooms.views("room", ["bob"]))["bob"].unread == min(count, 100)

    @pytest.mark.parametrize("own", [1, 60, 100, 127, 128, 129, 250])
    async def test_unread_is_exact_across_runs_of_several_users(self, log: Store, rooms: RoomViews, own: int) -> None:
        authors = [*["bob"] * own, *["alice"] * 50, *["carol"] * 20, *["bob"] * own, *["alice"] * 25]
        await write(log, [opened(opens=opens("alice", "bob"))])
        await write(log, [message(seq=seq, author=author) for seq, author in enumerate(authors, start=2)])
        assert (await rooms.views("room", ["bob"]))["bob"].unread == 95

    async def test_view_has_every_membership_state(self, log: Store, rooms: RoomViews) -> None:
        entries = [message(), banned("room", 2, "carol"), invited("room", 3, "dave"), joined("room", 4, "erin")]
        await write(log, [*entries, removed("room", 5, "erin"), removed("room", 6, "bob")])
        views = await rooms.views("room", ["alice", "bob", "carol", "dave", "erin"])
        assert {user: (view.member, view.marker, view.unread) for user, view in views.items()} == {
            "alice": (Membership("owner", since=1), Marker(0, 0), 0),
            "bob": (None, None, 0),
            "carol": (Membership("member", since=2, state="banned"), None, 0),
            "dave": (Membership("member", since=3, state="invited"), None, 0),
            "erin": (None, None, 0),
        }
        assert {(view.members_count, len(view.markers or ())) for view in views.values()} == {(1, 1)}

    @pytest.mark.parametrize("count", [1, 20, 21])
    async def test_view_has_all_markers_in_rooms_of_up_to_20_members(
        self, log: Store, rooms: RoomViews, count: int
    ) -> None:
        users = [f"user {number}" for number in range(count)]
        await write(log, [opened(opens=opens(*users))])
        view = (await rooms.views("room", ["user 0"]))["user 0"]
        assert view.members_count == count
        assert view.markers == (dict.fromkeys(users, Marker(0, 0)) if count <= 20 else None)
        assert view.marker == Marker(0, 0)

    async def test_views_are_consistent_during_writes(self, log: Store, rooms: RoomViews) -> None:
        async with meanwhile(partial(say, log, "room", "alice", [str(number) for number in range(100)])) as running:
            while running():
                views = await rooms.views("room", ["bob", "alice"])
                assert len({view.head for view in views.values()}) <= 1
                for view in (*views.values(), *(await rooms.page("bob", None, 10)).rooms):
                    assert view.last.seq == view.head
                    assert view.unread == (0 if view.member == Membership("owner", 1) else min(view.head, 100))


@pytest.mark.anyio
class MembersContract:
    async def test_room_without_entries_has_no_members(self, log: Store, rooms: RoomViews) -> None:
        await write(log, conversation())
        for room in ("unborn", "", *HOSTILE_NAMES):
            page = await rooms.members("alice", room, None, 10)
            assert page == RoomMembers(kind=None, member=None, users=[], has_after=False)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 200])
    async def test_members_are_paged_in_the_order_of_their_ids(self, log: Store, rooms: RoomViews, limit: int) -> None:
        users = sorted({"alice", "Alice", "ālice", "b", "ba", "z\U0001f600", "z\uffff", *HOSTILE_NAMES})
        await write(log, [opened(opens=opens("alice"))])
        joins = [joined("room", seq, user) for seq, user in enumerate([u for u in users[::-1] if u != "alice"], 2)]
        await write(log, joins)
        pages = await pages_of_members(rooms, "alice", limit)
        assert [user for page in pages for user, _ in page.users] == users
        assert [len(page.users) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert 1 <= len(pages[-1].users) <= limit

    async def test_page_of_members_has_every_membership_as_the_state_has_it(self, log: Store, rooms: RoomViews) -> None:
        entries = [opened(opens=opens("olga", "adam", "mia")), role_changed("room", 2, "adam", "admin")]
        entries += [
            invited("room", 3, "ina"),
            banned("room", 4, "eve"),
            joined("room", 5, "lea"),
            left("room", 6, "lea"),
        ]
        await write(log, entries)
        state = await log.state("room")
        for reader, others in (
            ("olga", ["adam", "eve", "ina", "mia", "olga"]),
            ("adam", ["adam", "eve", "ina", "mia", "olga"]),
            *((reader, ["adam", "ina", "mia", "olga"]) for reader in ("mia", "ina", "eve", "lea", "stranger")),
        ):
            assert await rooms.members(reader, "room", None, 200) == RoomMembers(
                kind="group",
                member=state.members.get(reader),
                users=[(user, state.members[user]) for user in others],
                has_after=False,
            )
            paged = await pages_of_members(rooms, reader, 1)
            assert [user for page in paged for user, _ in page.users] == others

    @pytest.mark.parametrize("after", ["", "a", "adam", "adan", "zoe", *HOSTILE_NAMES])
    async def test_members_begin_above_any_id(self, log: Store, rooms: RoomViews, after: UserId) -> None:
        await write(log, [opened(opens=opens("olga", "adam", "mia"))])
        page = await rooms.members("mia", "room", after, 200)
        assert [user for user, _ in page.users] == [user for user in ("adam", "mia", "olga") if user > after]

    async def test_pages_of_a_large_room_follow_its_changes(self, log: Store, rooms: RoomViews) -> None:
        users = [f"user {number:04}" for number in range(450)]
        await write(log, [opened(opens=opens("olga"))])
        await write(log, [joined("room", seq, user) for seq, user in enumerate(users, 2)])
        await check_members(log, rooms, "olga")
        await write(log, [banned("room", 452 + n, user) for n, user in enumerate(users[100:300])])
        await check_members(log, rooms, "olga")
        await check_members(log, rooms, users[0])
        changes = [left("room", 652 + n, user) for n, user in enumerate(users[40:90])]
        changes += [joined("room", 702 + n, f"user 0010 {n}") for n in range(100)]
        await write(log, changes)
        await check_members(log, rooms, "olga")
        await check_members(log, rooms, users[0])


async def check_members(log: Store, rooms: RoomViews, reader: UserId) -> None:
    """Check that all pages together are the state, and that a page may begin anywhere."""
    state = await log.state("room")
    leads = state.members[reader].role == "owner"
    shown = sorted((user, member) for user, member in state.members.items() if leads or member.state != "banned")
    pages = await pages_of_members(rooms, reader, 60)
    assert [row for page in pages for row in page.users] == shown
    for start in (30, 99, 200):
        page = await rooms.members(reader, "room", shown[start][0], 10)
        assert (page.users, page.has_after) == (shown[start + 1 : start + 11], True)


@pytest.mark.anyio
class PeopleContract:
    async def test_user_without_rooms_has_nothing_unread_and_no_acquaintances(
        self, log: Store, rooms: RoomViews
    ) -> None:
        await write(log, conversation())
        for user in ("carol", *HOSTILE_NAMES):
            assert await rooms.unread_total(user) == UnreadTotal(rooms=0, messages=0)
            assert await rooms.acquaintances(user, ["alice", "bob", user]) == frozenset()

    async def test_unread_total_is_the_sum_of_the_rooms_that_are_not_muted(self, log: Store, rooms: RoomViews) -> None:
        for room, count in (("long", 130), ("short", 3), ("read", 4), ("muted", 5)):
            await write(log, [message(room, seq) for seq in range(1, count + 1)])
        await write(log, [message("invited"), invited("invited", 2, "carol"), message("invited", 3)])
        await write(log, [message("left"), message("left", 2), left("left", 3, "bob")])
        await log.mark("bob", "read", MarkerUpdate(read=4))
        await log.mark("bob", "muted", MarkerUpdate(muted=True))
        assert await rooms.unread_total("bob") == UnreadTotal(rooms=3, messages=105)
        assert await rooms.unread_total("carol") == UnreadTotal(rooms=0, messages=0)
        await log.mark("bob", "short", MarkerUpdate(read=3))
        await write(log, [message("read", 5, "alice"), message("read", 6, "bob")])
        assert await rooms.unread_total("bob") == UnreadTotal(rooms=3, messages=103)

    async def test_unread_total_counts_as_the_page_of_rooms_does(self, log: Store, rooms: RoomViews) -> None:
        for number in range(12):
            await write(log, conversation(f"room {number}", 1 + 13 * number))
            await log.mark("bob", f"room {number}", MarkerUpdate(read=number))
        unread = [view.unread for view in (await rooms.page("bob", None, 200)).rooms]
        assert await rooms.unread_total("bob") == UnreadTotal(rooms=sum(map(bool, unread)), messages=sum(unread))

    async def test_acquaintances_share_a_room_or_an_invitation(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [opened("a", opens=opens("alice", "bob")), invited("a", 2, "ina"), banned("a", 3, "eve")])
        await write(log, [joined("a", 4, "lea"), left("a", 5, "lea")])
        await write(log, [opened("b", opens=opens("carol", "dave"))])
        everyone = ["alice", "bob", "ina", "eve", "lea", "carol", "dave", "ghost", *HOSTILE_NAMES]
        assert await rooms.acquaintances("alice", everyone) == {"alice", "bob", "ina"}
        assert await rooms.acquaintances("ina", everyone) == {"alice", "bob", "ina"}
        assert await rooms.acquaintances("carol", everyone) == {"carol", "dave"}
        for stranger in ("eve", "lea", "ghost"):
            assert await rooms.acquaintances(stranger, everyone) == frozenset()
        assert await rooms.acquaintances("alice", []) == frozenset()
        await write(log, [joined("b", 2, "alice")])
        assert await rooms.acquaintances("alice", ["dave", "eve"]) == {"dave"}

    async def test_fellow_members_are_both_members_of_a_room(self, log: Store, rooms: RoomViews) -> None:
        await write(log, [opened("a", opens=opens("alice", "bob")), invited("a", 2, "ina"), banned("a", 3, "eve")])
        await write(log, [joined("a", 4, "lea"), left("a", 5, "lea")])
        await write(log, [opened("b", opens=opens("carol", "dave")), invited("b", 2, "alice")])
        everyone = ["alice", "bob", "ina", "eve", "lea", "carol", "dave", "ghost", *HOSTILE_NAMES]
        assert await rooms.fellow_members("alice", everyone) == {"alice", "bob"}
        assert await rooms.fellow_members("carol", everyone) == {"carol", "dave"}
        for stranger in ("ina", "eve", "lea", "ghost", *HOSTILE_NAMES):
            assert await rooms.fellow_members(stranger, everyone) == frozenset()
            assert await rooms.fellow_members("alice", [stranger]) == frozenset()
        assert await rooms.fellow_members("alice", []) == frozenset()
        await write(log, [joined("b", 3, "alice")])
        await write(log, [left("a", 6, "bob")])
        assert await rooms.fellow_members("alice", ["bob", "dave", "eve"]) == {"dave"}
        assert await rooms.fellow_members("dave", everyone) == {"alice", "carol", "dave"}


class RoomViewsContract(PageContract, ViewsContract, MembersContract, PeopleContract, PublicRoomsContract):
    """Subclass it, with the fixtures ``log``, an open and empty log, and ``rooms``, the views of the same store.

    Both may be the same object.
    """

    @pytest.fixture
    async def log(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    async def rooms(self) -> RoomViews:
        raise NotImplementedError


async def pages(rooms: RoomViews, user: UserId, limit: int) -> Sequence[Sequence[RoomId]]:
    """Return the room ids of each page of a user's rooms."""
    paged: list[list[RoomId]] = []
    after: str | None = None
    while not paged or after is not None:
        page = await rooms.page(user, after, limit)
        paged.append([view.room for view in page.rooms])
        after = page.next
    return paged


async def pages_of_members(rooms: RoomViews, user: UserId, limit: int) -> Sequence[RoomMembers]:
    """Return each page of the members of ``room``."""
    paged: list[RoomMembers] = []
    while not paged or paged[-1].has_after:
        paged.append(await rooms.members(user, "room", paged[-1].users[-1][0] if paged else None, limit))
    return paged
