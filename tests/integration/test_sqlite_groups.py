"""Group commit: many calls share a COMMIT, and the error of a call affects no other call."""

import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import anyio
import pytest
from anyio.lowlevel import checkpoint

from chatcore.errors import Unavailable
from chatcore.testing.builders import conversation
from chatcore.testing.logs import everything, write
from chatcore.testing.tasks import at_once
from chatcore_sqlite import SqliteDatabase, SqliteStore

from .sqlite_group import Work, database_of_things, insert, outcome_of, queued, things, together, traced, writer_held

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[SqliteDatabase, None]:
    async with database_of_things(tmp_path) as database:
        yield database


class OwnError(Exception): ...


def insert_and_fail(value: object) -> Work:
    def work(connection: Connection) -> None:
        insert(value)(connection)
        raise OwnError(value)

    return work


async def test_calls_that_arrive_during_commit_share_next_commit(database: SqliteDatabase) -> None:
    statements = await traced(database)
    outcomes = await together(database, [insert(number) for number in range(50)])
    assert outcomes == [1] * 50
    assert await things(database) == list(range(50))
    assert (
        statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 2
    )  # the group that held the writer, and the group of the calls
    assert statements.count("SAVEPOINT job") == statements.count("RELEASE job") == 1 + 50


async def test_appends_to_many_rooms_share_commits(tmp_path: Path) -> None:
    rooms = [f"room {number}" for number in range(64)]
    async with SqliteStore(tmp_path) as store:
        statements = await traced(store.database)
        await at_once([partial(write, store, conversation(room, 10)) for room in rooms])
        assert statements.count("COMMIT") <= 1 + 10
        for room in rooms:
            assert await everything(store, room) == conversation(room, 10)


async def test_each_caller_gets_its_own_result(database: SqliteDatabase) -> None:
    works = [lambda _, number=number: number for number in range(20)]
    assert await together(database, works) == list(range(20))


async def test_error_of_one_call_undoes_only_its_own_writes(database: SqliteDatabase) -> None:
    statements = await traced(database)
    works = [insert(number) if number % 3 else insert_and_fail(number) for number in range(9)]
    outcomes = await together(database, works)
    assert [type(outcome) for outcome in outcomes] == [OwnError, int, int] * 3
    assert await things(database) == [1, 2, 4, 5, 7, 8]
    assert statements.count("COMMIT") == 2


async def test_sql_error_reaches_its_caller_only(database: SqliteDatabase) -> None:
    await database.write(lambda connection: connection.execute("CREATE UNIQUE INDEX one ON things (value)"))
    outcomes = await together(database, [insert(1), insert(1), insert(2), lambda c: c.execute("SELECT nonsense")])
    assert [type(outcome) for outcome in outcomes] == [int, sqlite3.IntegrityError, int, sqlite3.OperationalError]
    assert await things(database) == [1, 2]


async def test_calls_of_failed_commit_are_retried_alone(database: SqliteDatabase) -> None:
    """COMMIT fails by a deferred constraint that one of the calls breaks."""
    await database.write(lambda connection: connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
    orphans = "CREATE TABLE orphans (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    await database.write(lambda connection: connection.execute(orphans))
    statements = await traced(database)
    orphan = "INSERT INTO orphans VALUES (7)"
    outcomes = await together(database, [insert(1), lambda connection: connection.execute(orphan), insert(2)])
    assert [type(outcome) for outcome in outcomes] == [int, sqlite3.IntegrityError, int]
    assert await things(database) == [1, 2]
    assert statements.count("COMMIT") == 2 + 3


async def test_calls_of_lost_transaction_are_retried_alone(database: SqliteDatabase) -> None:
    def lose(connection: Connection) -> None:
        connection.execute("ROLLBACK")
        raise OwnError

    outcomes = await together(database, [insert(1), lose, insert(2)])
    assert [type(outcome) for outcome in outcomes] == [int, OwnError, int]
    assert await things(database) == [1, 2]


async def test_results_of_lost_transaction_are_not_returned(database: SqliteDatabase) -> None:
    """A refusal may depend on a row that was rolled back, so it is not returned unless the call can be retried."""
    other = sqlite3.connect(database.file, isolation_level=None, check_same_thread=False)

    def lose_and_lock(connection: Connection) -> None:
        connection.execute("ROLLBACK")
        other.execute("BEGIN EXCLUSIVE")
        raise OwnError

    await database.write(lambda connection: connection.execute("PRAGMA busy_timeout = 0").fetchone())
    with closing(other):
        outcomes = await together(database, [insert_and_fail(1), lose_and_lock])
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    assert await things(database) == []


async def test_result_of_commit_that_times_out_is_not_returned(database: SqliteDatabase) -> None:
    """The job already has a refusal, which is not returned, since the transaction may be rolled back."""
    refused, release = threading.Event(), threading.Event()

    def hang(_: Connection) -> None:
        refused.set()
        release.wait()

    try:
        outcomes = await together(database, [insert_and_fail(1), hang])
    finally:
        release.set()
    assert refused.is_set()
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]


async def test_result_is_returned_only_after_commit(database: SqliteDatabase) -> None:
    statements = await traced(database)
    await database.write(insert(1))
    assert statements[-1] == "COMMIT"


async def test_committed_write_is_seen_by_every_reader_at_once(database: SqliteDatabase) -> None:
    for number in range(200):
        await database.write(insert(number))
        assert len(await things(database)) == number + 1


async def test_read_is_one_snapshot(database: SqliteDatabase) -> None:
    counts: list[int] = []
    first, second = threading.Event(), threading.Event()

    def count_twice(connection: Connection) -> None:
        for done, wait in ((first, second), (first, first)):
            counts.append(connection.execute("SELECT count(*) FROM things").fetchone()[0])
            done.set()
            assert wait.wait(5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, count_twice)
        await anyio.to_thread.run_sync(first.wait)
        await database.write(insert(1))
        second.set()
    assert counts == [0, 0]


async def test_read_can_not_write(database: SqliteDatabase) -> None:
    with pytest.raises(Unavailable):
        await database.read(insert(1))
    assert await things(database) == []


async def test_slow_read_delays_neither_writers_nor_other_readers(database: SqliteDatabase) -> None:
    begun, release = threading.Event(), threading.Event()

    def dawdle(connection: Connection) -> None:
        connection.execute("SELECT count(*) FROM things").fetchone()
        begun.set()
        release.wait(5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, dawdle)
        await anyio.to_thread.run_sync(begun.wait)
        for number in range(20):
            await database.write(insert(number))
            assert len(await things(database)) == number + 1
        release.set()


async def test_result_of_read_does_not_wait_for_the_slow_read_after_it(database: SqliteDatabase) -> None:
    together, release = threading.Event(), threading.Event()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, lambda _: together.wait(5))
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as first:
            first.start_soon(things, database)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(database.read, lambda _: release.wait(5))
            await anyio.wait_all_tasks_blocked()
            together.set()
        release.set()


async def test_cancelled_caller_does_not_affect_other_callers(database: SqliteDatabase) -> None:
    outcomes: list[object] = []

    async def within(scope: anyio.CancelScope, number: int) -> None:
        with scope:
            outcomes.append(await outcome_of(database, insert(number)))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, writer_held(database):
            scopes = [anyio.CancelScope() for _ in range(20)]
            for number, scope in enumerate(scopes):
                tasks.start_soon(within, scope, number)
                await queued(database, number + 1)
            for scope in scopes[::2]:
                scope.cancel()
            for _ in range(5):
                await checkpoint()
    assert outcomes == [1] * 10
    assert set(await things(database)) >= set(range(1, 20, 2))


async def test_callers_cancelled_during_group_commit_do_not_affect_others(database: SqliteDatabase) -> None:
    kept: list[object] = []

    async def hurry(number: int) -> None:
        with anyio.move_on_after(0.0001 * (number % 7)):
            await database.write(insert(number))

    async def keep(number: int) -> None:
        await database.write(insert(number))
        kept.append(number)

    with anyio.fail_after(20):
        for start in range(0, 1000, 100):
            async with anyio.create_task_group() as tasks:
                for number in range(start, start + 100):
                    tasks.start_soon(keep if number % 2 else hurry, number)
    stored = await things(database)
    assert len(stored) == len(set(stored))
    assert set(kept) == set(range(1, 1000, 2)) <= set(stored)


async def test_write_of_cancelled_caller_is_not_started(database: SqliteDatabase) -> None:
    async with writer_held(database), anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, insert(1))
        await queued(database, 1)
        tasks.cancel_scope.cancel()
    assert await database.write(insert(2)) == 1
    assert await things(database) == [2]


async def test_caller_continues_when_its_own_commit_is_done(
    database: SqliteDatabase,
) -> None:
    """No caller runs the commits of others: it waits at most for the current group and its own group."""
    statements = await traced(database)
    waited: list[int] = []
    over = False

    async def keep_busy() -> None:
        while not over:
            await database.write(insert(0))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(keep_busy)
        for number in range(1, 50):
            before = statements.count("COMMIT")
            await database.write(insert(number))
            waited.append(statements.count("COMMIT") - before)
        over = True
    assert sorted(waited)[len(waited) // 2] <= 3
    assert max(waited) <= 6


async def test_writing_connection_has_promised_durability_and_secure_delete(database: SqliteDatabase) -> None:
    def pragmas(connection: Connection) -> object:
        names = ("journal_mode", "synchronous", "secure_delete", "temp_store")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.write(pragmas) == ["wal", 2, 1, 2]  # the last value: no temporary file
