"""The entry feed of the MongoDB store: entries that become visible late, and what it does not read."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.collection import Collection

from chatcore import Chat, FeedBatch
from chatcore.domain.entries import Deleted, Entry, Message
from chatcore.errors import FeedReset, Unavailable
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_feed import FeedStart
from chatcore.testing.builders import conversation, deleted, message
from chatcore.testing.entry_feed import by_room, read_all
from chatcore.testing.logs import write
from chatcore_mongo import MongoStore
from chatcore_mongo.documents import ENTRIES, Document
from chatcore_mongo.entry_feed import MongoFeedReader

from .mongo_database import empty
from .mongo_plans import Commands
from .mongod import a_mongod

pytestmark = pytest.mark.anyio

START = int(time.time()) - 3600
"""The server's time of the first entry, in seconds since 1970."""
REPEATED_S = 10
SEEDS = 8
OUTAGE_S = 30


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def store(mongo_url: str, commands: Commands) -> AsyncGenerator[MongoStore]:
    empty(mongo_url)
    async with MongoStore(mongo_url, event_listeners=[commands]) as store:
        yield store


@pytest.fixture
def documents(mongo_url: str) -> Generator[Collection[Document]]:
    """The entries of the store, to be changed without it."""
    with MongoClient[Any](mongo_url) as client:
        yield client.get_default_database()[ENTRIES]


class Hidden:
    """Entries that were written, taken out of the database, and become visible when a test wants it."""

    def __init__(self, documents: Collection[Document]) -> None:
        self._documents = documents
        self._hidden = {(found["room"], found["seq"]): found for found in documents.find()}
        documents.delete_many({})

    def show(self, room: RoomId, seq: Seq, second: float) -> None:
        """Make an entry visible that got the server's time ``second`` after `START`."""
        whole, part = divmod(second, 1)
        ts = Timestamp(START + int(whole), 1 + int(part * 1_000_000))
        self._documents.insert_one({**self._hidden.pop((room, seq)), "ts": ts})


async def hidden(store: MongoStore, documents: Collection[Document], rooms: Sequence[RoomId], length: int) -> Hidden:
    for room in rooms:
        await write(store, conversation(room, length))
    return Hidden(documents)


def seqs(entries: Sequence[Entry]) -> list[tuple[RoomId, Seq]]:
    return [(one.room, one.seq) for one in entries]


async def test_entry_that_becomes_visible_late_comes_with_the_next_read_and_once(
    store: MongoStore, documents: Collection[Document]
) -> None:
    log = await hidden(store, documents, ["a", "b", "c"], 2)
    reader = store.feed(0)
    log.show("a", 1, 100)
    assert seqs(await read_all(reader)) == [("a", 1)]
    log.show("b", 1, 92)
    log.show("c", 1, 100.5)
    assert seqs(await read_all(reader)) == [("b", 1), ("c", 1)]
    log.show("b", 2, 99)
    assert seqs(await read_all(reader)) == [("b", 2)]
    assert await read_all(reader) == []


async def test_late_entry_of_a_pass_from_now_comes_and_what_was_visible_does_not(
    store: MongoStore, documents: Collection[Document]
) -> None:
    log = await hidden(store, documents, ["a", "b", "c"], 2)
    log.show("a", 1, 100)
    log.show("b", 1, 95)
    reader = store.feed("now")
    assert await read_all(reader) == []
    log.show("b", 2, 96)
    log.show("c", 1, 95)
    assert seqs(await read_all(reader)) == [("c", 1), ("b", 2)]


@pytest.mark.parametrize("known", [True, False], ids=["room of the last 10 s", "room not given before"])
async def test_entry_waits_for_its_late_predecessors(
    store: MongoStore, documents: Collection[Document], known: bool
) -> None:
    log = await hidden(store, documents, ["a", "b"], 4)
    log.show("a", 1, 96 if known else 50)
    log.show("b", 1, 100)
    reader = store.feed(0)
    assert len(await read_all(reader)) == 2
    log.show("a", 2, 97)
    log.show("a", 3, 98)
    log.show("a", 4, 101)
    assert seqs((await reader.read(1)).entries) == [("a", 2), ("a", 3), ("a", 4)]
    assert await read_all(reader) == []


async def test_late_entry_comes_though_the_next_entries_are_much_newer(
    store: MongoStore, documents: Collection[Document]
) -> None:
    log = await hidden(store, documents, ["a", "b"], 4)
    log.show("a", 1, 100)
    reader = store.feed(0)
    assert len(await read_all(reader)) == 1
    log.show("b", 1, 95)
    for seq in (2, 3, 4):
        log.show("a", seq, 200 + 100 * seq)
    assert seqs(await read_all(reader, 1)) == [("b", 1), ("a", 2), ("a", 3), ("a", 4)]


async def test_pass_from_a_position_repeats_at_most_the_last_10_seconds(
    store: MongoStore, documents: Collection[Document]
) -> None:
    log = await hidden(store, documents, ["a"], 60)
    for seq in range(1, 61):
        log.show("a", seq, seq)
    reader = store.feed(0)
    while (page := await reader.read(7)).entries:
        again = await read_all(store.feed(page.position))
        assert again[0].seq <= page.entries[-1].seq + 1
        assert page.entries[-1].seq - again[0].seq < REPEATED_S
    first = await store.feed(0).read(7)
    assert seqs(await read_all(store.feed(first.position)))[0] == ("a", 8), "what is settled is not repeated"


async def test_memory_of_a_pass_is_bounded_by_the_rooms_of_the_last_10_seconds(
    store: MongoStore, documents: Collection[Document]
) -> None:
    rooms = [f"room {number}" for number in range(100)]
    log = await hidden(store, documents, rooms, 1)
    for second, room in enumerate(rooms):
        log.show(room, 1, second)
    reader = MongoFeedReader(store.database, 0)
    assert len(await read_all(reader, 9)) == len(rooms)
    assert reader._progress
    assert len(reader._progress.given) <= REPEATED_S
    assert len(reader._progress.counts) <= REPEATED_S


async def test_pass_that_is_far_behind_does_not_look_for_late_entries(
    store: MongoStore, documents: Collection[Document], commands: Commands
) -> None:
    log = await hidden(store, documents, ["a"], 60)
    for seq in range(1, 61):
        log.show("a", seq, seq)
    reader = store.feed(0)
    await reader.read(5)
    before = commands.count
    for _ in range(9):
        await reader.read(5)
    assert commands.count - before == 9


@pytest.mark.parametrize("start", [0, "now"])
async def test_pass_without_late_entries_reads_none_twice(
    store: MongoStore, commands: Commands, start: FeedStart
) -> None:
    await write(store, conversation("room", 3))
    reader = store.feed(start)
    await read_all(reader)
    commands.sent.clear()
    for seq in (4, 5, 6):
        await write(store, [message("room", seq)])
        assert seqs(await read_all(reader)) == [("room", seq)]
    assert not [command for command in commands.sent if "'$min'" in repr(command)]


async def test_position_is_reset_only_after_the_primary_has_written(store: MongoStore, commands: Commands) -> None:
    await write(store, conversation("room", 3))
    commands.sent.clear()
    with pytest.raises(FeedReset):
        await store.feed(2**64 - 1).read(1)
    assert [next(iter(command)) for command in commands.sent] == ["aggregate", "update", "aggregate"]


async def test_text_that_is_not_erased_yet_does_not_come(store: MongoStore, documents: Collection[Document]) -> None:
    await write(store, [message(body="secret")])
    (document,) = documents.find()
    await write(store, [deleted(2)])
    documents.replace_one({"_id": document["_id"]}, document)
    documents.update_one({"seq": 2}, {"$set": {"pending": True}})
    found = await read_all(store.feed(0))
    assert [one.event for one in found] == [Message(body="", deleted=True), Deleted(target=1)]
    assert found[0].digest is None


async def test_feed_of_a_replaced_database_is_unavailable(store: MongoStore, mongo_url: str) -> None:
    await write(store, conversation(count=3))
    reader = store.feed(0)
    await reader.read(1)
    with MongoClient[Any](mongo_url) as client:
        meta = client.get_default_database()["meta"]
        epoch = store.epoch
        try:
            meta.update_one({"_id": "store"}, {"$set": {"epoch": "another"}})
            with pytest.raises(Unavailable):
                await reader.read(1)
        finally:
            meta.update_one({"_id": "store"}, {"$set": {"epoch": epoch}})


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_passes_miss_nothing_whatever_becomes_visible_late(
    store: MongoStore, documents: Collection[Document], seed: int
) -> None:
    chance = random.Random(seed)
    rooms = [f"room {number}" for number in range(6)]
    log = await hidden(store, documents, rooms, 12)
    entries = {room: list(conversation(room, 12)) for room in rooms}
    reader, given, saved = store.feed(0), list[Entry](), 0
    total: set[tuple[RoomId, Seq]] = set()
    for room, seq, second in schedule(chance, rooms, 12):
        log.show(room, seq, second)
        if chance.random() < 0.4:
            page = await reader.read(chance.choice([1, 2, 5, 50]))
            given += page.entries
            total.update(seqs(page.entries))
            saved = page.position
        if chance.random() < 0.05:
            check_order(given)
            reader, given = store.feed(saved), []
    given += await read_all(reader, 3)
    check_order(given)
    assert total | {*seqs(given)} == {(room, one.seq) for room in rooms for one in entries[room]}
    assert by_room(await read_all(store.feed(0), 5)) == entries


def check_order(given: Sequence[Entry]) -> None:
    """The entries of a pass: of each room in order, without a hole, each once."""
    for entries in by_room(given).values():
        first = entries[0].seq
        assert [one.seq for one in entries] == list(range(first, first + len(entries)))


def schedule(chance: random.Random, rooms: Sequence[RoomId], length: int) -> Sequence[tuple[RoomId, Seq, float]]:
    """Room, seq and time of entries in the order in which they become visible, up to 8 s after their times.

    The next entry of a room gets its time when the one before is visible, as a writer cannot know of it earlier.
    """
    visible: list[tuple[float, RoomId, Seq, float]] = []
    for room in rooms:
        now = 20 * chance.random()
        for seq in range(1, length + 1):
            now += chance.choice([0.001, 0.1, 1, 5, 15]) * chance.random()
            at = now
            now += chance.choice([0, 0.01, 1, 8]) * chance.random()
            visible.append((now, room, seq, at))
    return [(room, seq, at) for _, room, seq, at in sorted(visible)]


class Heard(logging.Handler):
    """Waits for a line of the log of feeds."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "reading the feed failed" in record.getMessage():
            self.failed.set()


async def test_pass_goes_on_without_repeats_after_the_server_was_killed() -> None:
    heard = Heard()
    log = logging.getLogger("chatcore.feed")
    log.addHandler(heard)
    with a_mongod() as server:
        try:
            async with MongoStore(f"{server.url}chatcore") as store, Chat(store) as chat:
                await write(store, conversation("a", 5))
                feed = chat.feed()
                assert seqs((await anext(feed)).entries) == [("a", seq) for seq in range(1, 6)]
                waiting = asyncio.create_task(next_batch(feed))
                server.kill()
                await asyncio.wait_for(heard.failed.wait(), OUTAGE_S)
                await asyncio.to_thread(server.start)
                await write_again(store, message("a", 6))
                batch = await asyncio.wait_for(waiting, OUTAGE_S)
                assert seqs(batch.entries) == [("a", 6)]
        finally:
            log.removeHandler(heard)


async def next_batch(feed: AsyncIterator[FeedBatch]) -> FeedBatch:
    return await anext(feed)


async def write_again(store: MongoStore, entry: Entry) -> None:
    """Append an entry as soon as the store is available."""
    while True:
        try:
            result = await store.append([entry])
        except Unavailable:
            continue
        if result.written or result.taken:
            return
