"""A process that follows the feed of a store until it is killed, and saves its position after each batch.

Run by test_feed_kill.py: python feed_consumer.py STORE POSITION_FILE

It prints a line for each batch, ``batch ROOM:SEQ ROOM:SEQ …``, and ``saved`` once the position is in the file. STORE is
the address of a MongoDB database, or a folder. In a folder, which one process has at a time, it also appends, and
prints ``wrote ROOM:SEQ`` for what was acknowledged.
"""

import os
import sys
from pathlib import Path

import anyio

from chatcore import Chat
from chatcore.testing.builders import message
from chatcore_mongo import MongoStore
from chatcore_sqlite import SqliteStore

ROOMS = [f"room-{number}" for number in range(8)]
PAUSE_S = len(ROOMS) / 500
"""Between two messages of a room: 500 messages a second."""


def say(line: str) -> None:
    text = f"{line}\n".encode()
    while text:
        text = text[os.write(1, text) :]


def save(position: str, file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text(position)
    new.replace(file)


async def consume(chat: Chat, after: str | None, file: Path) -> None:
    async for batch in chat.feed(after):
        say(f"batch {' '.join(f'{entry.room}:{entry.seq}' for entry in batch.entries)}")
        save(batch.position, file)
        say("saved")


async def write(store: SqliteStore, room: str) -> None:
    seq = (await store.read_on(room, 0, 0)).head
    while True:
        seq += 1
        await store.append([message(room, seq)])
        say(f"wrote {room}:{seq}")
        await anyio.sleep(PAUSE_S)


async def main(where: str, after: str | None, file: Path) -> None:
    store = MongoStore(where) if where.startswith("mongodb://") else SqliteStore(where)
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        tasks.start_soon(consume, chat, after, file)
        if isinstance(store, SqliteStore):
            for room in ROOMS:
                tasks.start_soon(write, store, room)


if __name__ == "__main__":
    kept = Path(sys.argv[2])
    anyio.run(main, sys.argv[1], kept.read_text() if kept.exists() else None, kept)
