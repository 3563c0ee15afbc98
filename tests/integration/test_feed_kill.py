"""Consumers of the feed that are killed again and again miss nothing, and are given little twice."""

import asyncio
import itertools
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
from attrs import define, field
from bson import ObjectId, Timestamp
from pymongo import AsyncMongoClient

from chatcore import Chat, FeedBatch
from chatcore.ids import RoomId, Seq
from chatcore.testing.builders import message
from chatcore.testing.logs import everything
from chatcore_mongo import MongoStore
from chatcore_mongo.documents import ENTRIES, Document, RoomSummary, entry_document
from chatcore_sqlite import SqliteStore

from .mongo_database import empty

SCRIPT = Path(__file__).with_name("feed_consumer.py")
KILLS = int(os.environ.get("CHATCORE_TEST_FEED_KILLS", "3"))
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120 + 30 * KILLS)]
REPEATED_S = 10
LATE_S_MAX = 4
"""An entry of a late room becomes visible so many seconds after its time, at most."""
ROUNDS_PER_S = 50
ROOMS, LATE_ROOMS = 6, 4
"""Each round writes a message to every room: 500 messages a second."""
BATCHES_MAX = 8
"""The most batches of a consumer before it is killed."""
FINISH_S = 60
SEED = os.environ.get("CHATCORE_TEST_FEED_SEED", "feed")

Place: TypeAlias = tuple[RoomId, Seq]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class Pass:
    """What one consumer was given, in batches. Only the last one may not be saved."""

    batches: list[list[Place]] = field(factory=list)
    saved: int = 0
    """How many batches it said it had saved."""
    written: list[Place] = field(factory=list)
    """What it said was acknowledged."""

    def take(self, line: str) -> None:
        kind, *texts = line.split()
        places = [(room, int(seq)) for room, seq in (text.split(":") for text in texts)]
        if kind == "batch":
            self.batches.append(places)
        elif kind == "saved":
            self.saved += 1
        else:
            self.written += places

    @property
    def places(self) -> list[Place]:
        return list(chain.from_iterable(self.batches))

    def check(self) -> None:
        """Each room came in order and without a hole, each entry once."""
        last: dict[RoomId, Seq] = {}
        for room, seq in self.places:
            assert seq == last.get(room, seq - 1) + 1, f"{room}: {seq} came after {last[room]}"
            last[room] = seq


async def run_and_kill(where: str, position: Path, batches: int) -> Pass:
    """Run a consumer and kill it once it was given so many batches."""
    found = Pass()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), where, str(position), stdout=asyncio.subprocess.PIPE, limit=2**20
    )
    assert process.stdout
    killed = False
    try:
        async for line in process.stdout:
            if line.endswith(b"\n"):
                found.take(line.decode())
            if len(found.batches) >= batches and not killed:
                process.kill()
                killed = True
    finally:
        if not killed:
            process.kill()
        await process.wait()
    assert killed, f"the consumer ended by itself with {process.returncode}"
    return found


async def follow(feed: AsyncIterator[FeedBatch], found: Pass) -> None:
    async for batch in feed:
        found.batches.append([(entry.room, entry.seq) for entry in batch.entries])
        found.saved += 1


async def finish(feed: AsyncIterator[FeedBatch], found: Pass, expected: Collection[Place]) -> None:
    """Go on until all expected entries have come."""
    missing = set(expected).difference(found.places)
    async with asyncio.timeout(FINISH_S):
        while missing:
            batch = await anext(feed)
            found.batches.append([(entry.room, entry.seq) for entry in batch.entries])
            found.saved += 1
            missing.difference_update(found.batches[-1])


def repeated_at_most(passes: Sequence[Pass], recent: Callable[[Collection[Place]], Collection[Place]]) -> int:
    """Check each pass against those before it; returns how many entries came again.

    Args:
        passes: all passes, in their order.
        recent: returns those that may come again of the entries that were given and whose positions were saved.
    """
    given: set[Place] = set()
    unsaved: set[Place] = set()
    count = 0
    for one in passes:
        one.check()
        again = given.intersection(one.places)
        count += len(again)
        assert again <= unsaved.union(recent(given - unsaved))
        given.update(one.places)
        unsaved = {*chain.from_iterable(one.batches[one.saved :])}
        assert len(one.batches) - one.saved <= 1
    return count


@asynccontextmanager
async def late_writer(url: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Yield a function that writes a round to the late rooms: entries with times that have passed."""
    chance = random.Random(SEED)
    summary = RoomSummary(kind="group", title=None, members_count=2, last_membership_change=ObjectId())
    times = {f"late-{number}": 0.0 for number in range(LATE_ROOMS)}
    rounds = itertools.count(1)
    async with AsyncMongoClient[Document](url) as client:
        entries = client.get_default_database()[ENTRIES]

        async def write() -> None:
            documents: list[Document] = []
            seq = next(rounds)
            for room, last in times.items():
                times[room] = max(last + 0.000_001, time.time() - LATE_S_MAX * chance.random())
                whole, part = divmod(times[room], 1)
                entry = message(room, seq)
                documents.append({**entry_document(entry, summary), "ts": Timestamp(int(whole), int(part * 2**31))})
            await entries.insert_many(documents)

        yield write


@asynccontextmanager
async def writing(store: MongoStore, url: str) -> AsyncGenerator[None]:
    """Write 500 messages a second, two in five of them late, while the block runs."""
    running = True

    async def write(late: Callable[[], Awaitable[None]]) -> None:
        start, rounds = time.monotonic(), 0
        while running:
            rounds += 1
            appends = [store.append([message(f"room-{number}", rounds)]) for number in range(ROOMS)]
            await asyncio.gather(late(), *appends)
            await asyncio.sleep(start + rounds / ROUNDS_PER_S - time.monotonic())

    async with late_writer(url) as late, asyncio.TaskGroup() as tasks:
        tasks.create_task(write(late))
        try:
            yield
        finally:
            running = False


async def test_killed_consumers_of_mongodb_miss_nothing_and_repeat_ten_seconds_at_most(
    mongo_url: str, tmp_path: Path
) -> None:
    empty(mongo_url)
    chance, position, began = random.Random(SEED), tmp_path / "position", time.monotonic()
    steady, last = Pass(), Pass()
    async with MongoStore(mongo_url) as store, Chat(store) as chat:
        feed = chat.feed()
        async with writing(store, mongo_url):
            following = asyncio.create_task(follow(feed, steady))
            passes = [await run_and_kill(mongo_url, position, chance.randint(1, BATCHES_MAX)) for _ in range(KILLS)]
            lasted = time.monotonic() - began
        following.cancel()
        await asyncio.wait([following])
        times = await times_of_all(mongo_url)
        await finish(feed, steady, times.keys())
        await finish(chat.feed(await anyio.Path(position).read_text()), last, times.keys() - places_of(passes))
    steady.check()
    assert len(steady.places) == len(times)

    def recent(given: Collection[Place]) -> Collection[Place]:
        newest = max((times[place] for place in given), default=0)
        return {place for place in given if times[place] >= newest - REPEATED_S}

    count = repeated_at_most([*passes, last], recent)
    print(f"{KILLS} kills: {len(times)} entries, {len(times) / lasted:.0f} a second, {count} came again")
    assert places_of([*passes, last]) == times.keys()


async def times_of_all(url: str) -> Mapping[Place, int]:
    """The server's times of all entries, in seconds since 1970."""
    async with AsyncMongoClient[Document](url) as client:
        found = client.get_default_database()[ENTRIES].find(projection=["room", "seq", "ts"])
        return {(one["room"], one["seq"]): one["ts"].time async for one in found}


async def test_killed_servers_on_sqlite_feed_everything_and_repeat_the_last_batch_at_most(tmp_path: Path) -> None:
    chance, position, folder = random.Random(SEED), tmp_path / "position", tmp_path / "data"
    passes = [await run_and_kill(str(folder), position, chance.randint(1, BATCHES_MAX)) for _ in range(KILLS)]
    async with SqliteStore(folder) as store:
        rooms = {place[0] for place in places_of(passes)}
        stored = {(one.room, one.seq) for room in rooms for one in await everything(store, room)}
        passes.append(Pass())
        async with Chat(store) as chat:
            await finish(chat.feed(await anyio.Path(position).read_text()), passes[-1], stored - places_of(passes))
    count = repeated_at_most(passes, lambda given: ())
    print(f"{KILLS} kills: {len(stored)} entries, {count} came again")
    assert places_of(passes) == stored
    assert set(chain.from_iterable(one.written for one in passes)) <= stored


def places_of(passes: Sequence[Pass]) -> set[Place]:
    return {*chain.from_iterable(one.places for one in passes)}
