"""Processes that die between two statements of a write: each one statement later than the last.

Run by test_sqlite_cut.py: python sqlite_cut.py FOLDER BACKEND. Creates FOLDER/before (the data before the write),
FOLDER/<n> for every cut (the data after a process died before its n-th statement) and FOLDER/after (the data after the
whole write). Prints the number of statements.
"""

import itertools
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from sqlite3 import Connection

import anyio

from chatcore.testing.builders import (
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
from chatcore_sqlite import SqliteStore

THERE = [
    *conversation(count=5, users=["alice", "bob", "carol"], kind="public"),
    edited(6, 2, "a secret"),
    reacted(7, "bob", target=2),
]
"""The log of `room` before the write."""

MORE = [
    joined("room", 8, "erin", role="admin"),
    message(seq=9, author="erin"),
    edited(10, 9, author="erin"),
    reacted(11, "alice", target=9),
    deleted(12, 2),
    invited("room", 13, "frank"),
    removed("room", 14, "bob"),
    banned("room", 15, "mallory"),
    role_changed("room", 16, "carol", "admin"),
    left("room", 17, "alice"),
    updated("room", 18, "title"),
    reacted(19, "alice", target=9, on=False),
]
"""The entries that one call appends to `room`."""

BORN = [opened("born", opens=opens("alice", "erin", kind="public", title="title")), message("born", 2)]
"""The entries that the next call appends to an unborn room."""


async def before(folder: Path) -> None:
    async with SqliteStore(folder) as store:
        await store.append(THERE)


async def write(folder: Path, die_at: int | None) -> int:
    """Write, unless the process dies before a statement. Returns the number of statements."""
    statements = 0

    def count(_: str) -> None:
        nonlocal statements
        statements += 1
        if statements == die_at:
            os._exit(0)  # nothing is flushed or rolled back, and no lock is released by the process

    async with SqliteStore(folder) as store:
        await store.database.write(lambda connection: trace(connection, count))
        statements = 0  # the end of that write
        for entries in (MORE, BORN):
            assert (await store.append(entries)).written == len(entries)
        counted = statements
        await store.database.write(lambda connection: trace(connection, None))
    return counted


def trace(connection: Connection, callback: Callable[[str], None] | None) -> None:
    connection.set_trace_callback(callback)


def in_a_process_of_its_own(work: Callable[[], Awaitable[object]], backend: str) -> int:
    """Run in a child process, and return its exit code. The parent never has a thread, so it may fork."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(ENDED if anyio.run(work, backend=backend) is None else 1)


ENDED = 42


def main(folder: Path, backend: str) -> None:
    first = folder / "before"

    async def lay_out() -> None:
        await before(first)

    assert in_a_process_of_its_own(lay_out, backend) == ENDED
    for number in itertools.count(1):
        copy = folder / str(number)
        shutil.copytree(first, copy)

        async def cut(copy: Path = copy, number: int = number) -> None:
            await write(copy, number)

        if in_a_process_of_its_own(cut, backend) == ENDED:
            copy.rename(folder / "after")
            print(number - 1)
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
