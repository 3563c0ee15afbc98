"""A process that appends as fast as it can, and prints what was acknowledged, until it is killed.

Run by test_sqlite_kill.py: python sqlite_commit_loop.py FOLDER
"""

import os
import sys
from functools import partial

import anyio

from chatcore.testing.builders import joined, message
from chatcore.testing.tasks import at_once
from chatcore_sqlite import SqliteStore

ROOMS = [f"room {number}" for number in range(8)]
BATCH = 3


async def append_for_ever(store: SqliteStore, room: str) -> None:
    seq = (await store.state(room)).head + 1
    while True:
        batch = [message(room, seq), message(room, seq + 1, "bob"), joined(room, seq + 2, f"user {seq + 2}")]
        appended = await store.append(batch)
        assert appended.written == BATCH
        seq += BATCH
        os.write(1, f"{room}\t{seq - 1}\n".encode())


async def main() -> None:
    async with SqliteStore(sys.argv[1]) as store:
        await at_once([partial(append_for_ever, store, room) for room in ROOMS])


if __name__ == "__main__":
    anyio.run(main)
