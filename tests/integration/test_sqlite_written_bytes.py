"""The bytes that a message appends to SQLite's write-ahead log, from the size of its file."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from chatcore.domain.entries import Entry
from chatcore.ports.entry_log import AppendResult
from chatcore.testing.builders import message, opened, opens
from chatcore.testing.logs import write
from chatcore_sqlite import SqliteStore

pytestmark = pytest.mark.anyio

HEADER = 32
FRAME = 24 + 4096
"""A page in the write-ahead log."""
ENTRIES = int(os.environ.get("CHATCORE_TEST_LOG_LENGTH", "10000"))
ROOMS = int(os.environ.get("CHATCORE_TEST_ROOMS", "1000"))
MEMBERS = int(os.environ.get("CHATCORE_TEST_MEMBERS", "1000"))
BODY = "x" * 200
MESSAGES = 50
BATCH = 64


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def filled(store: SqliteStore, *, entries: int = 1, rooms: int = 1, members: int = 2) -> None:
    """Write ``rooms`` rooms, and so many entries of the first one."""
    users = [f"user {number}" for number in range(members)]
    await store.append_all([[opened(f"room {number}", users[0], opens=opens(*users))] for number in range(rooms)])
    await write(store, [message("room 0", seq, users[0], body=BODY) for seq in range(2, entries + 1)])


def sent(room: str, seq: int) -> Entry:
    return message(room, seq, "user 0", key=f"{room} {seq} 0123456789", body=BODY)


def log_bytes(store: SqliteStore) -> int:
    return Path(f"{store.database.file}-wal").stat().st_size


async def pages_of(store: SqliteStore, batches: Sequence[Sequence[Entry]]) -> int:
    """Return how many pages an append of these batches adds to an empty write-ahead log."""
    with closing(sqlite3.connect(store.database.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert log_bytes(store) == 0
    assert await store.append_all(batches) == [AppendResult(written=1) for _ in batches]
    pages, rest = divmod(log_bytes(store) - HEADER, FRAME)
    assert rest == 0
    return pages


async def pages_of_message(folder: Path, *, entries: int = 1, rooms: int = 1, members: int = 2) -> float:
    """Return the pages that a message appends on average: some messages split a page."""
    async with SqliteStore(folder) as store:
        await filled(store, entries=entries, rooms=rooms, members=members)
        return sum([await pages_of(store, [[sent("room 0", entries + n)]]) for n in range(1, MESSAGES + 1)]) / MESSAGES


@pytest.mark.parametrize("size", [{"entries": 100}, {"rooms": 10}, {"members": 10}], ids=lambda size: next(iter(size)))
async def test_message_writes_at_most_7_and_a_half_pages(tmp_path: Path, size: Mapping[str, int]) -> None:
    assert await pages_of_message(tmp_path, **size) <= 7.5


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("size", [{"entries": ENTRIES}, {"rooms": ROOMS}, {"members": MEMBERS}], ids=str)
async def test_message_writes_at_most_one_page_more_at_large_sizes(tmp_path: Path, size: Mapping[str, int]) -> None:
    """A large tree of pages has one level more, and a message splits pages more often."""
    assert await pages_of_message(tmp_path, **size) <= 8.5


async def test_messages_of_64_rooms_together_write_at_most_25_pages(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await filled(store, rooms=BATCH)
        for seq in range(2, 12):
            assert await pages_of(store, [[sent(f"room {number}", seq)] for number in range(BATCH)]) <= 25
