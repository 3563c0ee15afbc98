"""Helpers of the database suites: jobs that run in one group, and other processes on the same file."""

import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from chatcore_sqlite import SqliteDatabase

Work: TypeAlias = Callable[[Connection], Any]
Outcome: TypeAlias = object
"""The result of a job, or the exception that its caller got."""


async def outcome_of(database: SqliteDatabase, work: Work) -> Outcome:
    try:
        return await database.write(work)
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        return error


@asynccontextmanager
async def writer_held(database: SqliteDatabase) -> AsyncGenerator[None, None]:
    """Keep the writing thread busy in the block, so that calls in the block share the next group."""
    begun, release = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        release.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outcome_of, database, hold)
        await anyio.to_thread.run_sync(begun.wait)
        try:
            yield
        finally:
            release.set()


async def queued(database: SqliteDatabase, count: int) -> None:
    """Wait until ``count`` writes are queued for the writing thread."""
    assert database._session
    while database._session.writes.qsize() < count:
        await checkpoint()


async def handed_over(database: SqliteDatabase, count: int) -> None:
    """Wait until ``count`` calls wait for their results."""
    assert database._session
    while len(database._session.completions._waiting) < count:
        await checkpoint()


async def together(database: SqliteDatabase, works: Sequence[Work]) -> Sequence[Outcome]:
    """Return the outcomes of jobs that run in one group, in their order."""
    outcomes: dict[int, Outcome] = {}

    async def run(number: int, work: Work) -> None:
        outcomes[number] = await outcome_of(database, work)

    async with anyio.create_task_group() as tasks, writer_held(database):
        for number, work in enumerate(works):
            tasks.start_soon(run, number, work)
            await queued(database, number + 1)
    return [outcomes[number] for number in range(len(works))]


async def traced(database: SqliteDatabase) -> list[str]:
    """Return a list to which every later statement of the writing connection is added."""
    statements: list[str] = []
    await database.write(lambda connection: connection.set_trace_callback(statements.append))
    statements.clear()  # the end of that write
    return statements


def insert(value: object) -> Work:
    return lambda connection: connection.execute("INSERT INTO things VALUES (?)", (value,)).rowcount


async def things(database: SqliteDatabase) -> Sequence[object]:
    rows = await database.read(lambda connection: connection.execute("SELECT value FROM things").fetchall())
    return [value for (value,) in rows]


@asynccontextmanager
async def database_of_things(folder: Path) -> AsyncGenerator[SqliteDatabase, None]:
    async with SqliteDatabase(folder) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE things (value)"))
        yield database


@asynccontextmanager
async def other_process(code: str, *arguments: object) -> AsyncGenerator[subprocess.Popen[bytes], None]:
    """Run Python code in another process in the block, which begins once the process has printed something."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: ASYNC220 - one fork
    assert process.stdin
    assert process.stdout
    try:
        await anyio.to_thread.run_sync(process.stdout.readline)
        yield process
    finally:
        process.stdin.close()
        await anyio.to_thread.run_sync(partial(process.wait, timeout=10))
        process.stdout.close()
