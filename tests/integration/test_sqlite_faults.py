"""Real faults of the disk and of other programs: only durable writes are acknowledged, and the store heals."""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import anyio
import pytest
from anyio.lowlevel import checkpoint

from chatcore.errors import Unavailable
from chatcore.testing.builders import conversation, deleted, message
from chatcore.testing.logs import everything, write
from chatcore.testing.tasks import at_once
from chatcore_sqlite import SqliteDatabase, SqliteStore, completions

from .sqlite_group import (
    Work,
    database_of_things,
    handed_over,
    insert,
    other_process,
    outcome_of,
    queued,
    things,
    together,
    traced,
    writer_held,
)

pytestmark = pytest.mark.anyio

LIMIT_S = 2.0
"""Seconds within which the ports promise an answer or `Unavailable`. Tests allow three times as long."""

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


async def seconds_until_unavailable(call: Callable[[], Awaitable[object]]) -> float:
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        await call()
    return time.monotonic() - begun


async def test_writes_to_locked_file_are_unavailable_in_time_reads_continue(
    tmp_path: Path,
) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation("room", 3))

        async def late(number: int) -> float:
            await anyio.sleep(0.2 * number)
            return await seconds_until_unavailable(partial(store.append, [message(f"late {number}")]))

        async with other_process(LOCK, tmp_path / "chatcore.sqlite3"):
            waits = await at_once([partial(late, number) for number in range(8)])
            assert len(await everything(store, "room")) == 3
        assert max(waits) < 3 * LIMIT_S
        for number in range(8):
            assert (await store.state(f"late {number}")).head == 0
        await write(store, [message("room", 4)])


async def test_probe_fails_if_database_is_read_only(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        async with other_process(LOCK, tmp_path / "chatcore.sqlite3"):
            await store.changes(None, 1)
            await seconds_until_unavailable(store.probe)
        await store.probe()


async def test_fault_of_many_calls_is_logged_once_with_its_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with SqliteStore(tmp_path) as store:
        await store.probe()
        assert not caplog.messages
        async with other_process(LOCK, tmp_path / "chatcore.sqlite3"):
            await at_once([partial(seconds_until_unavailable, store.probe)] * 5)
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'chatcore.sqlite3'} can't be written to: ")
    assert "database is locked" in line or "no answer" in line


async def test_short_lock_is_waited_for(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        async with anyio.create_task_group() as tasks, other_process(LOCK, tmp_path / "chatcore.sqlite3"):
            tasks.start_soon(write, store, conversation("room", 3))
            await anyio.sleep(0.2)
        assert len(await everything(store, "room")) == 3


async def until_traced(statements: Sequence[str], statement: str) -> None:
    with anyio.fail_after(10):
        while not any(statement in executed for executed in statements):
            await checkpoint()


@pytest.mark.parametrize("is_read", [False, True], ids=["done", "put off"])
async def test_short_lock_after_erasure_is_waited_for(tmp_path: Path, is_read: bool) -> None:
    """An erasure does not wait for locks, but later writes on the same connection do."""
    async with SqliteStore(tmp_path, erased_within=0.6) as store:
        await write(store, conversation("room", 3))
        statements = await traced(store.database)
        connect = partial(sqlite3.connect, store.database.file, isolation_level=None)
        with closing(connect()) as reader, closing(connect()) as locker:
            if is_read:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM entries").fetchone()
            await write(store, [deleted(4, 1)])
            await until_traced(statements, "PRAGMA wal_checkpoint(TRUNCATE)")
            async with anyio.create_task_group() as tasks:
                locker.execute("BEGIN EXCLUSIVE")
                statements.clear()
                tasks.start_soon(write, store, [message(seq=5)])
                await until_traced(statements, "INSERT INTO message_entries")
                await anyio.sleep(0.05)  # a write without waiting fails at once
                locker.execute("ROLLBACK")
        assert len(await everything(store, "room")) == 5


async def test_calls_on_hanging_disk_end_within_promised_time(tmp_path: Path) -> None:
    async with database_of_things(tmp_path) as database:
        async with writer_held(database):
            waits = await at_once([partial(seconds_until_unavailable, partial(database.write, insert(1)))] * 3)
            assert max(waits) < 3 * LIMIT_S
            assert await things(database) == []
        assert await database.write(insert(2)) == 1
        assert await things(database) == [2]


BLOCKED_S = 2.5
"""Seconds. Longer than any call waits."""


@pytest.mark.parametrize("stall_s", [completions.STALL_S, float("inf")], ids=["a stall", "time that counts"])
async def test_call_done_while_loop_was_blocked_returns_its_result(
    stall_s: float, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host blocks the event loop, and the threads finish meanwhile."""
    monkeypatch.setattr(completions, "STALL_S", stall_s)
    blocked = threading.Event()

    def work(_: Connection) -> str:
        blocked.wait()
        return "done"

    async with database_of_things(tmp_path) as database:
        results: list[str] = []

        async def call(function: Callable[[Work], Awaitable[str]]) -> None:
            results.append(await function(work))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, database.write)
            tasks.start_soon(call, database.read)
            await handed_over(database, 2)
            blocked.set()
            time.sleep(BLOCKED_S)  # noqa: ASYNC251 - a host that blocks the loop
        assert results == ["done"] * 2
    assert not caplog.messages


async def test_call_that_could_not_start_while_loop_was_blocked_gets_full_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The threads are paused too, like those of a process that is stopped and continued."""
    async with database_of_things(tmp_path) as database, anyio.create_task_group() as tasks:
        async with writer_held(database):
            tasks.start_soon(database.write, insert(1))
            await queued(database, 1)
            time.sleep(BLOCKED_S)  # noqa: ASYNC251 - a host that blocks the loop
        await database.write(insert(2))
        assert await things(database) == [1, 2]
    assert not caplog.messages


async def test_hanging_read_is_unavailable_in_time(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_: Connection) -> None:
        release.wait(10)

    async with database_of_things(tmp_path) as database:
        waits = await at_once([partial(seconds_until_unavailable, partial(database.read, hang))] * 6)
        assert max(waits) < 3 * LIMIT_S
        release.set()
        assert await things(database) == []


def pragma(setting: str) -> Work:
    return lambda connection: connection.execute(f"PRAGMA {setting}").fetchone()


async def test_full_database_keeps_what_fits_and_nothing_refused(tmp_path: Path) -> None:
    async with database_of_things(tmp_path) as database:
        (pages,) = await database.write(pragma("page_count"))
        await database.write(pragma(f"max_page_count = {pages + 4}"))
        outcomes = await together(database, [insert(1), insert("x" * 100_000), insert(2)])
        assert [type(outcome) for outcome in outcomes] == [int, Unavailable, int]
        assert await things(database) == [1, 2]
        await database.write(pragma("max_page_count = 1000000"))
        assert await database.write(insert("x" * 100_000)) == 1


async def test_appends_to_full_database_are_unavailable_and_heal(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        (pages,) = await store.database.write(pragma("page_count"))
        await store.database.write(pragma(f"max_page_count = {pages + 10}"))
        written = 0
        while written < 1000:
            try:
                await write(store, [message("room", written + 1, body="x" * 1000)])
            except Unavailable:
                break
            written += 1
        assert 0 < written < 1000
        assert len(await everything(store, "room")) == written
        with pytest.raises(Unavailable):
            await store.probe()
        await store.database.write(pragma("max_page_count = 1000000"))
        await store.probe()
        await write(store, [message("room", written + 1, body="x" * 1000)])


async def test_probes_let_database_grow_once(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        sizes: list[int] = []
        for _ in range(50):
            await store.probe()
            (pages,) = await store.database.read(pragma("page_count"))
            sizes.append(pages)
        assert len(set(sizes)) == 1
        used = await store.database.read(lambda connection: connection.execute("SELECT id FROM probes").fetchall())
        assert not used


async def test_read_only_database_is_unavailable_and_heals_by_itself(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation("room", 3))
        await store.database.write(pragma("query_only = ON"))
        with pytest.raises(Unavailable):
            await write(store, [message("room", 4)])
        assert len(await everything(store, "room")) == 3
        await write(store, [message("room", 4)])  # the new connection does not have this setting


async def test_file_that_may_not_grow_loses_nothing_acknowledged_and_heals(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    """RLIMIT_FSIZE makes COMMIT fail with an I/O error: the outcome is unknown, and the connection is renewed."""
    script = Path(__file__).with_name("sqlite_limited.py")
    command = [sys.executable, str(script), str(tmp_path), anyio_backend_name]
    run = await anyio.run_process(command, check=False, stderr=None)
    assert run.returncode == 0
    outcome = json.loads(run.stdout)
    assert outcome["refused"] == 16
    assert outcome["connection renewed"]
    assert outcome["probes"] == ["refused", "succeeded"]
    async with SqliteStore(tmp_path) as store:
        for room, acknowledged in outcome["acknowledged"].items():
            entries = await everything(store, room)
            assert len(entries) == acknowledged
            assert len({entry.key for entry in entries}) == acknowledged


async def test_error_of_caller_is_raised_as_is_and_later_calls_succeed(tmp_path: Path) -> None:
    def fail(_: Connection) -> None:
        raise ZeroDivisionError

    async with SqliteDatabase(tmp_path) as database:
        assert isinstance(await outcome_of(database, fail), ZeroDivisionError)
        for _ in range(20):  # more than there are reading threads
            with pytest.raises(ZeroDivisionError):
                await database.read(fail)
        await database.write(lambda connection: connection.execute("CREATE TABLE later (value)"))
        for _ in range(20):
            assert await database.read(lambda connection: connection.execute("SELECT * FROM later").fetchall()) == []
