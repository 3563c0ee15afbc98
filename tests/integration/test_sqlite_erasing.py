"""The text of a deleted message is removed from every file of the data folder in time, also amid reads and writes."""

import errno
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import anyio
import pytest

from chatcore.domain.entries import Entry
from chatcore.testing.builders import deleted, edited, message, reacted
from chatcore.testing.logs import everything, say, write
from chatcore_sqlite import SqliteStore, eraser
from chatcore_sqlite.eraser import KEPT_OUT_S

from .sqlite_group import other_process, queued, writer_held

pytestmark = pytest.mark.anyio

WITHIN_S = 1.5
SECRETS = [f"<secret {number}>" for number in range(6)]
KEPT = "<kept>"

READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM entries").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""

CRASH = """
import os, signal, sys, anyio
from pathlib import Path
from chatcore_sqlite import SqliteStore
from tests.integration.test_sqlite_erasing import DELETIONS, WRITTEN, write

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        await write(store, WRITTEN)
        await write(store, DELETIONS)
        os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main)
"""

WRITTEN: Sequence[Entry] = [
    message(body=SECRETS[0], data={"data": SECRETS[1]}, digest=SECRETS[2]),
    message(seq=2, body=SECRETS[3] * 1100, digest=SECRETS[2]),  # 14 KiB: on overflow pages
    message(seq=3, body=KEPT),
    edited(4, 1, SECRETS[4] * 300),
    edited(5, 1, SECRETS[5], version=3),
    reacted(6, "bob", target=1),
]
DELETIONS = [deleted(7, 1), deleted(8, 2)]


def held(folder: Path) -> set[str]:
    """Return the texts that any file of the folder contains."""
    files = [file.read_bytes() for file in folder.iterdir() if file.is_file()]
    assert len(files) >= 2
    return {text for text in (*SECRETS, KEPT) if any(text.encode() in content for content in files)}


async def gone_in_time(folder: Path, since: float) -> bool:
    while time.monotonic() - since < WITHIN_S:
        if held(folder) == {KEPT}:
            return True
        await anyio.sleep(0.02)
    return held(folder) == {KEPT}


async def log_emptied(folder: Path) -> None:
    with anyio.fail_after(10):
        while (folder / "chatcore.sqlite3-wal").stat().st_size:  # noqa: ASYNC110 - no event tells of it
            await anyio.sleep(0.01)


@asynccontextmanager
async def erasing_store(folder: Path) -> AsyncGenerator[SqliteStore, None]:
    """A store whose texts have been in both files, the database and its write-ahead log."""
    async with SqliteStore(folder, erased_within=WITHIN_S) as store:
        await write(store, WRITTEN)
        await store.database.write(lambda connection: connection.execute("SELECT 1"))
        assert held(folder) == {*SECRETS, KEPT}
        yield store


@pytest.mark.parametrize("idle_first", [False, True], ids=["at once", "once it is in the database file"])
async def test_deleted_text_is_gone_in_time(tmp_path: Path, idle_first: bool) -> None:
    async with erasing_store(tmp_path) as store:
        if idle_first:
            await anyio.sleep(WITHIN_S / 2)
            assert (tmp_path / "chatcore.sqlite3-wal").stat().st_size == 0
        await write(store, DELETIONS)
        since = time.monotonic()
        assert set(SECRETS) & held(tmp_path), "the texts were never in a file"
        assert await gone_in_time(tmp_path, since)
        assert len(await everything(store, "room")) == 8


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
async def test_text_deleted_in_a_group_with_other_writes_is_gone_in_time(tmp_path: Path, place: int) -> None:
    writes: list[Sequence[Entry]] = [[message("one")], [message("another")]]
    writes.insert(place, DELETIONS)
    async with erasing_store(tmp_path) as store:
        await log_emptied(tmp_path)  # from here on, text is erased only if a deletion is noted
        async with anyio.create_task_group() as tasks, writer_held(store.database):
            for number, entries in enumerate(writes, start=1):
                tasks.start_soon(write, store, entries)
                await queued(store.database, number)
        assert set(SECRETS) & held(tmp_path), "the texts were never in a file"
        assert await gone_in_time(tmp_path, time.monotonic())


async def test_deleted_text_is_gone_after_close(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, WRITTEN)
        await write(store, DELETIONS)
        assert set(SECRETS) <= held(tmp_path)
    assert held(tmp_path) == {KEPT}


async def test_message_edited_and_deleted_in_one_batch_leaves_no_text(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path, erased_within=WITHIN_S) as store:
        await write(store, [*WRITTEN, *DELETIONS])
        assert await gone_in_time(tmp_path, time.monotonic())


async def test_deleted_text_is_gone_in_time_during_continuous_reads_and_writes(tmp_path: Path) -> None:
    begun = [threading.Event() for _ in range(10_000)]
    longest = {"read": 0.0, "write": 0.0}
    counts = {"read": 0, "write": 0}
    done = False

    def read_until_the_next_has_begun(connection: Connection, number: int) -> None:
        """Read until the next read has begun, so that there is always a reader, unless new readers are kept out."""
        connection.execute("SELECT count(*) FROM entries").fetchone()
        begun[number].set()
        begun[number + 1].wait(KEPT_OUT_S / 2)

    async def take_turns(number: int) -> None:
        while not done:
            await store.database.read(partial(read_until_the_next_has_begun, number=number))
            number += 2

    async def measure(kind: str, call: Callable[[int], Awaitable[object]]) -> None:
        while not done:
            since = time.monotonic()
            await call(counts[kind])
            longest[kind] = max(longest[kind], time.monotonic() - since)
            counts[kind] += 1

    async with erasing_store(tmp_path) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns, 0)
        tasks.start_soon(take_turns, 1)
        tasks.start_soon(measure, "read", lambda _: store.read_on("room", 0, 200))
        tasks.start_soon(measure, "write", lambda number: say(store, "other", "alice", [str(number)]))
        await anyio.sleep(0.1)
        await write(store, DELETIONS)
        assert await gone_in_time(tmp_path, time.monotonic())
        done = True
    assert min(counts.values()) > 0
    assert max(longest.values()) < 1, "a call had to wait for the erasure"
    print(f"{counts}, longest {longest}")


async def test_erasure_waits_for_long_read_without_delaying_other_calls(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()

    def hang(connection: Connection) -> None:
        connection.execute("SELECT count(*) FROM entries").fetchone()
        begun.set()
        release.wait()

    async with erasing_store(tmp_path) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(store.database.read, hang)
        await anyio.to_thread.run_sync(begun.wait)
        await write(store, DELETIONS)
        deadline = time.monotonic() + WITHIN_S / 2
        seq = 8
        while time.monotonic() < deadline:
            seq += 1
            with anyio.fail_after(1.8):
                await write(store, [message(seq=seq)])
                assert len(await everything(store, "room")) == seq
        assert set(SECRETS) & held(tmp_path)
        release.set()
        assert await gone_in_time(tmp_path, time.monotonic())


async def test_deleted_text_is_gone_once_reading_program_ends(tmp_path: Path) -> None:
    async with erasing_store(tmp_path) as store:
        async with other_process(READ, tmp_path / "chatcore.sqlite3"):
            await write(store, DELETIONS)
            for seq in range(9, 40):
                with anyio.fail_after(1.8):
                    await write(store, [message(seq=seq)])
                    assert len(await everything(store, "room")) == seq
                await anyio.sleep(0.02)
            assert set(SECRETS) & held(tmp_path)
        assert await gone_in_time(tmp_path, time.monotonic())


async def test_erasure_that_can_not_be_synced_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Path] = []
    synced = threading.Event()

    def fail_at_first(path: Path) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise OSError(errno.EIO, "the disk fails")
        synced.set()

    async with erasing_store(tmp_path) as store:
        monkeypatch.setattr(eraser, "sync", fail_at_first)
        await write(store, DELETIONS)
        assert await anyio.to_thread.run_sync(synced.wait, 10)
        assert tries[0] == tries[1] == tmp_path / "chatcore.sqlite3-wal"
        assert len(await everything(store, "room")) == 8


async def test_deleted_text_is_gone_after_crash_and_reopening(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASH, str(tmp_path)]
    crashed = await anyio.to_thread.run_sync(partial(subprocess.run, command, check=False))
    assert crashed.returncode == -signal.SIGKILL
    assert set(SECRETS) & held(tmp_path)
    async with SqliteStore(tmp_path, erased_within=WITHIN_S) as store:
        assert await gone_in_time(tmp_path, time.monotonic())
        assert len(await everything(store, "room")) == 8


async def test_hundreds_of_deleted_messages_of_all_sizes_leave_no_text(tmp_path: Path) -> None:
    """Pages split, fill and empty. Texts are on leaves, on overflow pages, and on free pages."""
    sizes = (1, 2, 30, 200, 900)
    messages = [message(seq=n, body=f"<text {n}>" * sizes[n % 5], digest=f"<digest {n}>") for n in range(1, 501)]
    edits = [edited(501 + n // 2, n, f"<edit of {n}>" * sizes[n % 3]) for n in range(1, 501, 2)]
    gone = [n for n in range(1, 501) if n * 7919 % 3]
    head = len(messages) + len(edits)
    async with SqliteStore(tmp_path) as store:
        await write(store, messages)
        await write(store, edits)
        await write(store, [deleted(seq, target) for seq, target in enumerate(gone, start=head + 1)])
    content = (tmp_path / "chatcore.sqlite3").read_bytes()
    for n in range(1, 501):
        texts = [f"<text {n}>", f"<digest {n}>", *([f"<edit of {n}>"] if n % 2 else [])]
        assert [text for text in texts if text.encode() in content] == ([] if n in gone else texts)
