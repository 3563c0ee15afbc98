"""What the stores' methods cost as rooms, logs and memberships grow.

    python bench/stores.py [memory] [sqlite] [mongodb://host/database]

Each line is the ratio of alternating runs in one process: its median, lowest and highest; and the milliseconds of the
first of the two.
"""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from sqlite3 import Connection
from statistics import median
from typing import Any

import anyio
from attrs import evolve

from chatcore.domain.entries import Entry
from chatcore.domain.state import MarkerUpdate
from chatcore.ids import RoomId
from chatcore.ports.store import Store
from chatcore.testing.builders import deleted, joined, message, opened, opens
from chatcore.testing.logs import write
from chatcore_memory import MemoryStore
from chatcore_mongo import MongoStore
from chatcore_sqlite import SqliteStore

ROUNDS = 15
SENDS = 100
WIDE = 10_000_000


async def group(store: Store, room: RoomId, members: int) -> None:
    await write(store, [opened(room, opens=opens("alice"))])
    await write(store, [joined(room, seq, f"user {seq}") for seq in range(2, members + 1)])


async def rooms_of(store: Store, user: str, count: int, messages: int = 2) -> None:
    for number in range(count):
        name = f"{user}'s {number}"
        first = message(name, opens=opens(user, "alice"))
        await write(store, [first, *(message(name, seq) for seq in range(2, messages + 1))])


async def long_log(store: Store, room: RoomId, user: str, length: int, *, gone: bool) -> None:
    """One message of another, then ``length`` that are not unread for ``user``: their own, or deleted ones."""
    await write(store, [message(room, opens=opens("alice", user))])
    author = "alice" if gone else user
    await write(store, [message(room, seq, author) for seq in range(2, length + 2)])
    if gone:
        await write(store, [_of(room, length + seq, seq) for seq in range(2, length + 2)])


def _of(room: RoomId, seq: int, target: int) -> Entry:
    return evolve(deleted(seq, target), room=room, opens=None)


async def compare(
    what: str, run: Callable[[int], Awaitable[object]], against: Callable[[int], Awaitable[object]]
) -> None:
    ratios: list[float] = []
    times: list[float] = []
    for number in range(ROUNDS):
        first, second = await seconds(run, number), await seconds(against, number)
        ratios.append(first / second)
        times.append(first)
    spread = f"lowest {min(ratios):.2f}, highest {max(ratios):.2f}"
    print(f"  {what}: {median(ratios):.2f} ({spread}), {1000 * median(times):.2f} ms")


async def seconds(run: Callable[[int], Awaitable[object]], number: int) -> float:
    began = time.perf_counter()
    await run(number)
    return time.perf_counter() - began


class Counted:
    """Counts the reads of a SQLite store: each is one job of one reading thread."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        if isinstance(store, SqliteStore):
            read = store.database.read

            async def counted(work: Callable[[Connection], Any]) -> Any:
                self.count += 1
                return await read(work)

            store.database.read = counted  # type: ignore[method-assign]


async def measure(store: Store) -> None:
    await group(store, "small", 50)
    await group(store, "large", 5_000)
    heads = {"small": 50, "large": 5_000}

    async def send(room: RoomId, run: int) -> None:
        for number in range(SENDS):
            heads[room] += 1
            entry = message(room, heads[room], key=f"{run} {number}")
            assert (await store.append([entry])).written == 1

    await compare(
        f"{SENDS} appends in a group of 5,000 / of 50",
        lambda run: send("large", run),
        lambda run: send("small", run),
    )
    await compare(
        "a mark in a group of 5,000 / of 50",
        lambda run: store.mark("user 7", "large", MarkerUpdate(read=10 + run)),
        lambda run: store.mark("user 7", "small", MarkerUpdate(read=10 + run)),
    )
    await rooms_of(store, "few", 50)
    await rooms_of(store, "many", 1_000)
    await rooms_of(store, "unread", 50, messages=200)
    counted = Counted(store)
    await compare(
        "a page of 50 of 1,000 rooms / of 50 rooms",
        lambda _: store.page("many", None, 50),
        lambda _: store.page("few", None, 50),
    )
    await compare(
        "a page of 50 rooms with 200 unread each / with 2",
        lambda _: store.page("unread", None, 50),
        lambda _: store.page("few", None, 50),
    )
    five_hundred = {f"many's {number}": 1 for number in range(500)}

    async def one_by_one(_: int) -> None:
        for room, after in five_hundred.items():
            await store.catch_up("many", {room: after}, 200, WIDE)

    await compare(
        "catch_up of 500 cursors / one by one", lambda _: store.catch_up("many", five_hundred, 200, WIDE), one_by_one
    )
    counted.count = 0
    await store.page("many", None, 50)
    await store.catch_up("many", five_hundred, 200, WIDE)
    if counted.count:
        print(f"  a page and a catch_up of 500 took {counted.count} reads")
    await long_log(store, "own", "bot", 20_000, gone=False)
    await long_log(store, "gone", "bot", 20_000, gone=True)
    await long_log(store, "short", "bot", 1, gone=False)
    for room in ("own", "gone"):
        await compare(
            f"unread over 20,000 messages that are {room} / over 1",
            lambda _, room=room: store.views(room, ["bot"]),  # type: ignore[misc]
            lambda _: store.views("short", ["bot"]),
        )


async def main(names: list[str]) -> None:
    if "memory" in names:
        print("memory")
        await measure(MemoryStore())
    if "sqlite" in names:
        print("sqlite")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            async with SqliteStore(folder) as store:
                await measure(store)
    for address in (name for name in names if name.startswith("mongodb")):
        print("mongodb, a database that must be empty")
        async with MongoStore(address) as store:
            await measure(store)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:] or ["memory", "sqlite"])
