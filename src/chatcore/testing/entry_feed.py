"""The contract suite of `EntryFeed`."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial

import anyio
import pytest

from ..domain.entries import Deleted, Edited, Entry, Message
from ..errors import FeedReset
from ..ids import RoomId
from ..ports.entry_feed import EntryFeed, FeedReader, FeedStart
from ..ports.store import Store
from .builders import conversation, deleted, edited, joined, message, opens, reacted
from .logs import HOSTILE_NAMES, everything, write
from .store import Stores
from .tasks import at_once, meanwhile

TIMEOUT_S = 30
ROOMS = 8
LENGTH = 30


@pytest.mark.anyio
class EntryFeedContract:
    """Subclass it, with the fixture ``stores`` of `StoreContract`. The stores are `EntryFeed` too."""

    @pytest.fixture
    async def stores(self) -> Stores:
        raise NotImplementedError

    @pytest.fixture
    async def store(self, stores: Stores) -> AsyncGenerator[Store]:
        async with stores() as store:
            yield store

    @pytest.mark.parametrize("start", [0, "now"])
    async def test_empty_store_has_no_entries(self, store: Store, start: FeedStart) -> None:
        reader = feed_of(store, start)
        for _ in range(2):
            page = await reader.read(10)
            assert (list(page.entries), page.position, page.more) == ([], 0, False)

    @pytest.mark.parametrize("limit", [1, 7, 1000])
    async def test_pass_returns_every_entry_once_and_each_room_in_order(self, store: Store, limit: int) -> None:
        entries = [*conversation("a", 20), joined("a", 21, "carol"), *conversation("b", 3)]
        await write(store, entries[:21])
        await write(store, entries[21:])
        assert by_room(await read_all(feed_of(store, 0), limit)) == by_room(entries)

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_entries_are_returned_as_they_were_written(self, store: Store, name: str) -> None:
        data = {"": [1, None, 2**53], "$key": {"a.b": "é"}}
        opening = opens(name, "bob", title=name)
        entries = [message(name, 1, name, key=name[:64], body=name, data=data, opens=opening), joined(name, 2, name)]
        await write(store, entries)
        assert await read_all(feed_of(store, 0)) == entries

    async def test_edited_message_is_returned_unchanged_with_its_edits_as_entries(self, store: Store) -> None:
        entries = [message(body="first"), edited(2, body="second"), reacted(3, "bob")]
        await write(store, entries)
        assert await read_all(feed_of(store, 0)) == entries

    async def test_deleted_message_and_its_edits_are_returned_without_text(self, store: Store) -> None:
        reader = feed_of(store, 0)
        await write(store, [message(body="secret", data={"secret": 1}), edited(2, body="secret"), message(seq=3)])
        await write(store, [deleted(4)])
        for found in (await read_all(reader), await read_all(feed_of(store, 0))):
            events = [entry.event for entry in found]
            assert events == [Message(body="", deleted=True), Edited(target=1, version=2), events[2], Deleted(target=1)]
            assert [entry.digest for entry in found] == [None, None, "digest", "digest"]

    async def test_deletion_follows_a_text_that_was_read_before(self, store: Store) -> None:
        reader = feed_of(store, 0)
        await write(store, [message(body="secret")])
        assert [entry.event for entry in await read_all(reader)] == [Message(body="secret")]
        await write(store, [deleted(2)])
        assert [entry.event for entry in await read_all(reader)] == [Deleted(target=1)]

    async def test_pass_continues_with_new_entries(self, store: Store) -> None:
        reader = feed_of(store, 0)
        found: list[Entry] = []
        for seq in range(1, 6):
            await write(store, [message(seq=seq)])
            found += await read_all(reader)
            assert [entry.seq for entry in found] == list(range(1, seq + 1))

    async def test_pass_from_now_returns_only_later_entries(self, store: Store) -> None:
        await write(store, conversation("a", 3))
        reader = feed_of(store, "now")
        assert await read_all(reader) == []
        later = [message("a", 4), joined("a", 5, "carol")]
        await write(store, later)
        await write(store, conversation("b", 2))
        assert by_room(await read_all(reader)) == {"a": later, "b": list(conversation("b", 2))}

    async def test_first_position_of_a_pass_from_now_precedes_later_entries(self, store: Store) -> None:
        await write(store, conversation("a", 3))
        start = (await feed_of(store, "now").read(10)).position
        await write(store, [message("a", 4)])
        assert (await read_all(feed_of(store, start)))[-1] == message("a", 4)

    @pytest.mark.parametrize("limit", [1, 7])
    async def test_pass_from_any_position_returns_every_later_entry(self, stores: Stores, limit: int) -> None:
        async with stores() as store:
            for room in "abc":
                await write(store, conversation(room, 5))
            entries = {room: list(await everything(store, room)) for room in "abc"}
            reader, given = feed_of(store, 0), list[Entry]()
            positions = [(0, 0)]
            more = True
            while more:
                page = await reader.read(limit)
                given, more = [*given, *page.entries], page.more
                positions.append((page.position, len(given)))
        async with stores() as store:
            for position, count in positions:
                rest = await read_all(feed_of(store, position), limit)
                for room, found in by_room(rest).items():
                    assert [entry.seq for entry in found] == list(range(found[0].seq, 6)), room
                repeated = {(entry.room, entry.seq): entry for entry in [*given[:count], *rest]}
                assert by_room(repeated.values()) == entries

    async def test_passes_do_not_affect_each_other(self, store: Store) -> None:
        await write(store, conversation("a", 10))
        first, second = feed_of(store, 0), feed_of(store, 0)
        start = list((await first.read(4)).entries)
        assert await read_all(second, 3) == list(conversation("a", 10))
        await write(store, [message("a", 11)])
        assert [entry.seq for entry in [*start, *await read_all(first, 4)]] == list(range(1, 12))
        assert await read_all(second) == [message("a", 11)]

    async def test_position_above_all_entries_is_reset(self, store: Store) -> None:
        for position in (1, 2**64 - 1):
            with pytest.raises(FeedReset):
                await feed_of(store, position).read(10)
        await write(store, conversation("a", 3))
        with pytest.raises(FeedReset):
            await feed_of(store, 2**64 - 1).read(10)
        assert len(await read_all(feed_of(store, 0))) == 3

    async def test_cancelled_read_loses_no_entry(self, store: Store) -> None:
        await write(store, conversation("a", 40))
        reader = feed_of(store, 0)
        found: list[Entry] = []
        for delay in range(20):
            with anyio.move_on_after(delay / 2000):
                found += (await reader.read(2)).entries
        assert [entry.seq for entry in [*found, *await read_all(reader)]] == list(range(1, 41))

    async def test_passes_return_every_entry_in_order_during_writes(self, store: Store) -> None:
        rooms = [f"room {number}" for number in range(ROOMS)]
        passes = [feed_of(store, 0), feed_of(store, 0), feed_of(store, "now")]
        await passes[-1].read(1)

        async def write_all() -> None:
            await at_once([partial(_write_one_by_one, store, room) for room in rooms])

        async with meanwhile(write_all):
            found = await at_once([partial(_followed, reader) for reader in passes])
        for entries in found:
            assert by_room(entries) == {room: list(await everything(store, room)) for room in rooms}


async def _write_one_by_one(store: Store, room: RoomId) -> None:
    for seq in range(1, LENGTH + 1):
        await write(store, [joined(room, seq, f"user {seq}") if seq % 5 == 0 else message(room, seq)])


async def _followed(reader: FeedReader) -> Sequence[Entry]:
    """Read as many entries as are written, and then to the end."""
    found: list[Entry] = []
    with anyio.fail_after(TIMEOUT_S):
        while len(found) < ROOMS * LENGTH:
            found += (await reader.read(50)).entries
    return [*found, *await read_all(reader)]


def feed_of(store: Store, after: FeedStart) -> FeedReader:
    """Return a new pass of a store, which must be an `EntryFeed`."""
    assert isinstance(store, EntryFeed)
    return store.feed(after)


async def read_all(reader: FeedReader, limit: int = 100) -> list[Entry]:
    """Return the entries of a pass up to its end."""
    found: list[Entry] = []
    more = True
    while more:
        page = await reader.read(limit)
        found += page.entries
        more = page.more
    return found


def by_room(entries: Iterable[Entry]) -> dict[RoomId, list[Entry]]:
    """Return the entries of each room, in the order of the pass."""
    rooms: dict[RoomId, list[Entry]] = {}
    for entry in entries:
        rooms.setdefault(entry.room, []).append(entry)
    return rooms
