"""Appends and page reads per second through `Chat`, by store and by how many write at once, in one room and in many.

    python bench/throughput.py [memory] [sqlite] [mongodb://host/database] [--seconds 1]

Each number is the median of alternating rounds; the ratio is that to one writer in one room, and its spread. On MongoDB
the same run inserts batches of 64 documents, shaped as entries and under the same indexes, by the bare driver: at 64
writers in many rooms at least half of that is promised. The database is emptied of what this makes, not dropped. Event
loop and garbage collector are those of the bundled server.
"""

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from statistics import median
from uuid import uuid4

import uvloop
from bson import ObjectId, Timestamp

from chatcore import Chat, History, Push, SendMessage
from chatcore.errors import Unavailable
from chatcore.ports.pushes import Bye
from chatcore.ports.store import Store
from chatcore_memory import MemoryStore
from chatcore_mongo import MongoStore
from chatcore_mongo.migrations import LOG, VIEWS
from chatcore_server import garbage_collector
from chatcore_sqlite import SqliteStore

WRITERS = (1, 16, 64, 500)
ROUNDS = 5
BATCH = 64
BODY = "x" * 200
BARE = "bench_bare"

Act = Callable[[int], Awaitable[object]]
"""One thing that writer n does."""


async def per_second(act: Act, writers: int, seconds: float) -> float:
    """How often ``act`` is done in a second by so many at once."""
    done = 0
    began = time.perf_counter()

    async def work(number: int) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            with suppress(Unavailable):  # more than it can do in time: not done
                await act(number)
                done += 1

    await asyncio.gather(*map(work, range(writers)))
    return done / (time.perf_counter() - began)


def acts(chat: Chat, run: str) -> dict[str, Act]:
    """Every writer writes to a peer of its own, or all of them to one room that a bot has with itself."""
    keys = itertools.count()

    def send(user: str, to: str) -> Awaitable[object]:
        return chat.execute(user, SendMessage(to=to, body=BODY, key=f"{run} {next(keys)}"))

    bot, users, peers = f"one-{run}", names("a", run), names("b", run)
    return {
        "appends, one room": lambda number: send(bot, bot),
        "appends, many rooms": lambda number: send(users[number], peers[number]),
        "pages of 50, one room": lambda number: chat.execute(bot, History(peer=bot)),
        "pages of 50, many rooms": lambda number: chat.execute(users[number], History(peer=peers[number])),
    }


def names(kind: str, run: str) -> Sequence[str]:
    return [f"{kind}{number}-{run}" for number in range(max(WRITERS))]


class Sink:
    """A connection that takes everything and keeps nothing."""

    def __init__(self, identity: str) -> None:
        self.id = identity

    def send(self, push: Push) -> None: ...

    def close(self, bye: Bye) -> None: ...

    async def drained(self) -> None: ...


@asynccontextmanager
async def connected(chat: Chat, run: str) -> AsyncGenerator[None]:
    """Everybody who writes has a socket, as people who chat do."""
    async with AsyncExitStack() as stack:
        for user in (f"one-{run}", *names("a", run)):
            await stack.enter_async_context(chat.connect(Sink(user), user=user))
        yield


async def measure(name: str, store: Store, seconds: float) -> None:
    run = uuid4().hex[:8]
    async with Chat(store) as chat, connected(chat, run):
        found: dict[tuple[str, int], list[float]] = {}
        bare: list[float] = []
        what_is_done = acts(chat, run)
        for _ in range(ROUNDS):
            if isinstance(store, MongoStore):
                bare.append(await bare_inserts(store, seconds))
            for what, act in what_is_done.items():
                for writers in WRITERS:
                    found.setdefault((what, writers), []).append(await per_second(act, writers, seconds))
        report(name, found, bare)


def report(name: str, found: dict[tuple[str, int], list[float]], bare: Sequence[float]) -> None:
    print(name)
    for (what, writers), rates in found.items():
        ratios = [rate / one for rate, one in zip(rates, found[what, 1], strict=True)]
        spread = f"{median(ratios):.1f} of one writer ({min(ratios):.1f}-{max(ratios):.1f})"
        print(f"  {what}, {writers} at once: {median(rates):,.0f}/s, {spread}")
    if bare:
        ratios = [rate / each for rate, each in zip(found["appends, many rooms", BATCH], bare, strict=True)]
        spread = f"{median(ratios):.2f} of it ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"  bare insert_many of {BATCH}: {median(bare):,.0f}/s; through Chat at {BATCH} writers {spread}")


async def bare_inserts(store: MongoStore, seconds: float) -> float:
    """Documents per second that the driver inserts alone, in batches that wait for each other."""
    seqs = itertools.count(1)

    async def insert(number: int) -> None:
        async def work(database: object, session: object) -> None:
            await database[BARE].insert_many(batch, ordered=False, session=session)  # type: ignore[index]

        batch = [_bare_document(next(seqs)) for _ in range(BATCH)]
        await store.database.write(work)

    async with emptied(store):
        return BATCH * await per_second(insert, 1, seconds)


def _bare_document(seq: int) -> dict[str, object]:
    room = f"pvt-a{seq % BATCH}-b{seq % BATCH}"
    became = {"kind": "private", "title": None, "count": 2, "shaped": ObjectId()}
    event = {"body": BODY, "version": 1}
    who = {"author": f"a{seq}", "key": f"key {seq}", "at": 1_800_000_000_000, "digest": "x" * 43}
    return {"room": room, "seq": seq, **who, "kind": "message", "event": event, "ts": Timestamp(0, 0), "became": became}


@asynccontextmanager
async def emptied(store: MongoStore) -> AsyncGenerator[None]:
    async def begin(database: object, session: object) -> None:
        await database[BARE].create_indexes([*LOG, *VIEWS])  # type: ignore[index]

    async def end(database: object, session: object) -> None:
        await database[BARE].drop()  # type: ignore[index]

    await store.database.write(begin)
    try:
        yield
    finally:
        await store.database.write(end)


async def main(stores: list[str], seconds: float) -> None:
    with garbage_collector.set_for_serving():
        for name in stores:
            match name:
                case "memory":
                    await measure(name, MemoryStore(), seconds)
                case "sqlite":
                    with tempfile.TemporaryDirectory(dir=".") as folder:
                        await measure(name, SqliteStore(folder), seconds)
                case address:
                    await measure("mongodb", MongoStore(address), seconds)


if __name__ == "__main__":
    given = sys.argv[1:]
    limit = 1.0
    if "--seconds" in given:
        at = given.index("--seconds")
        limit = float(given[at + 1])
        del given[at : at + 2]
    uvloop.run(main(given or ["memory", "sqlite"], limit))
