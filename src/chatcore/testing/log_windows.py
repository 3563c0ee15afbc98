"""Tests of `RoomViews.window`."""

from collections.abc import Sequence
from functools import partial
from itertools import product

import pytest

from ..domain.entries import Entry, Message
from ..domain.state import Membership
from ..ids import Seq
from ..ports.room_views import Anchor, FirstUnread, Window
from ..ports.store import Store
from .builders import conversation, joined, message
from .logs import HOSTILE_NAMES, say, write
from .tasks import at_once, meanwhile

COUNTS = (0, 1, 2, 3, 20)


def mixed(count: int = 12) -> Sequence[Entry]:
    """Messages of alice and bob; the entries 2, 3, 6, 9, 12 … are joins of other users."""
    return [
        joined("room", seq, f"user {seq}")
        if seq % 3 == 0 or seq == 2
        else message("room", seq, "alice" if seq % 2 else "bob")
        for seq in range(1, count + 1)
    ]


def position_of(anchor: Anchor, entries: Sequence[Entry]) -> Seq:
    """The position of an anchor, as the contract of `Anchor` says."""
    newest = len(entries) + 1
    match anchor:
        case "oldest":
            return 0
        case "newest":
            return newest
        case FirstUnread():
            return next((entry.seq for entry in entries if anchor.is_unread(entry)), newest)
        case seq:
            return min(seq, newest)


def expected(entries: Sequence[Entry], anchor: Anchor, before: int, after: int, *, messages_only: bool) -> Window:
    """The window of the member alice, computed from all entries."""
    position = position_of(anchor, entries)
    wanted = [entry for entry in entries if not messages_only or isinstance(entry.event, Message)]
    below = [entry for entry in wanted if entry.seq < position]
    at_position = [entry for entry in wanted if entry.seq == position]
    above = [entry for entry in wanted if entry.seq > position]
    return Window(
        head=len(entries),
        kind="group",
        member=Membership("owner", since=1),
        entries=[*below[max(0, len(below) - before) :], *at_position, *above[:after]],
        has_before=len(below) > before,
        has_after=len(above) > after,
    )


@pytest.mark.anyio
class WindowContract:
    @pytest.mark.parametrize("messages_only", [False, True])
    async def test_window_around_every_anchor_is_as_specified(self, log: Store, messages_only: bool) -> None:
        entries = mixed()
        await write(log, entries)
        unread = [FirstUnread(user=user, read=read) for user in ("alice", "bob", "carol") for read in range(14)]
        anchors: list[Anchor] = ["newest", "oldest", *range(1, 15), 2**53, *unread]
        sizes = [*product(COUNTS, COUNTS)]
        for anchor in anchors:
            window_of = partial(log.window, "alice", "room", anchor, messages_only=messages_only)
            windows = await at_once([partial(window_of, before, after) for before, after in sizes])
            for (before, after), window in zip(sizes, windows, strict=True):
                assert window == expected(entries, anchor, before, after, messages_only=messages_only)

    @pytest.mark.parametrize("room", ["room", "", *HOSTILE_NAMES])
    async def test_window_of_an_unborn_room_is_empty(self, log: Store, room: str) -> None:
        anchors: list[Anchor] = ["newest", "oldest", 1, 7, FirstUnread(user="alice", read=0)]
        for anchor in anchors:
            window = await log.window("alice", room, anchor, 10, 10)
            assert window == Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)

    async def test_window_has_the_membership_of_its_reader(self, log: Store) -> None:
        await write(log, [message(), joined("room", 2, "carol")])
        membership = {
            user: (await log.window(user, "room", "newest", 1, 0)).member for user in ("bob", "carol", "dave")
        }
        assert membership == {
            "bob": Membership("member", since=1),
            "carol": Membership("member", since=2),
            "dave": None,
        }

    @pytest.mark.parametrize("size", [1, 199, 200, 201, 202])
    @pytest.mark.parametrize("count", [1, 200, 201])
    async def test_page_has_the_requested_count_and_says_if_there_are_more(
        self, log: Store, size: int, count: int
    ) -> None:
        entries = conversation(count=size)
        await write(log, entries)
        for messages_only in (False, True):
            newest = await log.window("alice", "room", "newest", count, 0, messages_only=messages_only)
            assert list(newest.entries) == list(entries[max(0, size - count) :])
            assert (newest.has_before, newest.has_after) == (size > count, False)
            oldest = await log.window("alice", "room", "oldest", 0, count, messages_only=messages_only)
            assert list(oldest.entries) == list(entries[:count])
            assert (oldest.has_before, oldest.has_after) == (False, size > count)

    @pytest.mark.parametrize("page", [1, 7, 200, 201])
    @pytest.mark.parametrize("messages_only", [False, True])
    async def test_paging_both_ways_from_any_anchor_returns_each_entry_once(
        self, log: Store, page: int, messages_only: bool
    ) -> None:
        entries = mixed(403 if page > 1 else 40)
        await write(log, entries)
        wanted = [entry.seq for entry in entries if not messages_only or isinstance(entry.event, Message)]
        anchors: list[Anchor] = ["newest", "oldest", 1, 2, 20, len(entries), FirstUnread(user="alice", read=5)]
        for anchor in anchors:
            first = await log.window("alice", "room", anchor, page, page, messages_only=messages_only)
            seqs = [entry.seq for entry in first.entries]
            more = first.has_before
            while more:
                window = await log.window("alice", "room", seqs[0], page, 0, messages_only=messages_only)
                *new, known = [entry.seq for entry in window.entries]
                assert known == seqs[0]
                seqs, more = [*new, *seqs], window.has_before
            more = first.has_after
            while more:
                window = await log.window("alice", "room", seqs[-1], 0, page, messages_only=messages_only)
                known, *new = [entry.seq for entry in window.entries]
                assert known == seqs[-1]
                seqs, more = [*seqs, *new], window.has_after
            assert seqs == wanted

    async def test_window_around_a_seq_does_not_shift_during_writes(self, log: Store) -> None:
        entries = conversation(count=30)
        await write(log, entries)
        keys = [f"new {number}" for number in range(50)]
        async with meanwhile(partial(say, log, "room", "alice", keys)) as running:
            while running():
                window = await log.window("alice", "room", 20, 10, 10)
                assert list(window.entries) == list(entries[9:30])

    async def test_window_is_consistent_during_writes(self, log: Store) -> None:
        keys = [str(number) for number in range(100)]
        async with meanwhile(partial(say, log, "room", "alice", keys)) as running:
            while running():
                window = await log.window("alice", "room", "newest", 200, 0)
                assert [entry.seq for entry in window.entries] == list(range(1, window.head + 1))
                assert (window.kind is None) == (window.head == 0)
                assert (window.has_before, window.has_after) == (False, False)
