"""A data folder: which stores may open it, and which files in it are refused."""

import os
import sqlite3
import threading
from collections.abc import Collection
from pathlib import Path
from sqlite3 import Connection

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint

from chatcore.errors import StoreError, Unavailable
from chatcore.testing.builders import conversation
from chatcore.testing.logs import everything, write
from chatcore_sqlite import SqliteDatabase, SqliteStore, schema

from .sqlite_group import other_process

pytestmark = pytest.mark.anyio

HOLD = """
import anyio, sys
from chatcore_sqlite import SqliteStore
async def main():
    async with SqliteStore(sys.argv[1]):
        print("open", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
anyio.run(main)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def refusal(folder: Path) -> str:
    """Return the sentence with which a folder is refused."""
    with pytest.raises(StoreError) as refused:
        async with SqliteStore(folder):
            pass
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


async def test_folder_of_other_process_is_refused_with_advice(tmp_path: Path) -> None:
    async with other_process(HOLD, tmp_path):
        sentence = await refusal(tmp_path)
    assert str(tmp_path) in sentence
    assert "in use by process" in sentence
    assert "stop that one, choose another folder, or use MongoDB" in sentence
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation())


async def test_second_store_in_same_process_is_refused_and_first_continues(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        assert "in use by another store of this process" in await refusal(tmp_path)
        await write(store, conversation())
    async with SqliteStore(tmp_path) as store:
        assert len(await everything(store, "room")) == 10


async def test_folder_is_free_again_after_kill_of_its_process(tmp_path: Path) -> None:
    async with other_process(HOLD, tmp_path) as process:
        process.kill()
        process.wait()
        async with SqliteStore(tmp_path) as store:
            await write(store, conversation())


async def test_file_of_newer_version_is_refused_and_unchanged(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path):
        pass
    file = tmp_path / "chatcore.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    before = file.read_bytes()
    sentence = await refusal(tmp_path)
    assert str(file) in sentence
    assert "newer" in sentence
    assert file.read_bytes() == before


async def test_file_that_is_no_database_is_refused_and_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "chatcore.sqlite3"
    file.write_bytes(b"Dear diary, " * 1000)
    sentence = await refusal(tmp_path)
    assert str(file) in sentence
    assert "not a database" in sentence
    assert file.read_bytes() == b"Dear diary, " * 1000


async def test_database_of_other_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chatcore.sqlite3"
    for statement in ("CREATE TABLE theirs (x)", "PRAGMA user_version = 1"):
        with sqlite3.connect(file) as connection:
            connection.execute(statement)
        connection.close()
        assert "another program's" in await refusal(tmp_path)


async def test_folder_that_can_not_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file" / "data") in await refusal(tmp_path / "file" / "data")
    (tmp_path / "folder" / "chatcore.sqlite3").mkdir(parents=True)
    assert "chatcore.sqlite3" in await refusal(tmp_path / "folder")


async def test_refused_store_holds_no_lock(tmp_path: Path) -> None:
    file = tmp_path / "chatcore.sqlite3"
    file.write_bytes(b"no database" * 100)
    descriptors = len(names(Path("/proc/self/fd")))
    await refusal(tmp_path)
    assert len(names(Path("/proc/self/fd"))) == descriptors
    file.unlink()
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation())


async def test_attempts_to_open_folder_in_use_leave_no_file_open(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path):
        descriptors = len(names(Path("/proc/self/fd")))
        for _ in range(3):
            await refusal(tmp_path)
        assert len(names(Path("/proc/self/fd"))) == descriptors


async def test_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation())
    later = "CREATE TABLE later (x); INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, schema.Migration("later", later)))
        assert "nowhere" in await refusal(tmp_path)
    async with SqliteStore(tmp_path) as store:
        assert len(await everything(store, "room")) == 10
        later = "CREATE TABLE later (x); INSERT INTO later VALUES (1);"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, schema.Migration("later", later)))
    for _ in range(2):
        async with SqliteStore(tmp_path) as store:
            assert await store.database.read(
                lambda connection: connection.execute("SELECT x FROM later").fetchall()
            ) == [(1,)]
            assert len(await everything(store, "room")) == 10


@pytest.mark.parametrize("name", ["a b", "what?mode=memory#x", "100%25", "🙂", "o'neil\"", "a/b/c"])
async def test_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    async with SqliteStore(tmp_path / name) as store:
        await write(store, conversation())
    assert (tmp_path / name / "chatcore.sqlite3").stat().st_size > 0
    async with SqliteStore(str(tmp_path / name)) as store:
        assert len(await everything(store, "room")) == 10


async def test_relative_folder_is_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SqliteStore("data") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        await write(store, conversation())
        assert len(await everything(store, "room")) == 10
    assert not names(tmp_path / "elsewhere")


async def test_closed_store_is_in_one_file(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation(count=200))
        assert (tmp_path / "chatcore.sqlite3-wal").stat().st_size > 0
    assert names(tmp_path) == {"chatcore.sqlite3", "lock"}


async def test_closing_finishes_started_calls(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path)
    await database.__aenter__()
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(database.write, lambda c, number=number: c.execute(f"CREATE TABLE t{number} (x)"))
        await checkpoint()
        await database.__aexit__(None, None, None)
    async with database:
        count = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 't_%' AND name GLOB 't[0-9]*'"
        assert await database.read(lambda connection: connection.execute(count).fetchone()) == (50,)


def opened_since(before: Collection[threading.Thread]) -> list[str]:
    """Return the names of the store's threads that have started since ``before``."""
    return [
        thread.name for thread in threading.enumerate() if thread not in before and thread.name.startswith("chatcore")
    ]


async def test_folder_is_refused_to_other_stores_until_closed(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()
    before = set(threading.enumerate())
    database = SqliteDatabase(tmp_path)

    def hang(connection: Connection) -> None:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        begun.set()
        release.wait()

    await database.__aenter__()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, hang)
        await anyio.to_thread.run_sync(begun.wait)
        tasks.start_soon(database.__aexit__, None, None, None)
        with anyio.fail_after(10):
            # until only the reading and the writing thread are left
            while opened_since(before).count("chatcore-sqlite") > 2:  # noqa: ASYNC110 - no event tells of it
                await anyio.sleep(0.01)
        assert "in use by another store of this process" in await refusal(tmp_path)
        release.set()
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation())


async def test_closing_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with SqliteStore(tmp_path):
        assert set(opened_since(before)) == {"chatcore-sqlite", "chatcore-sqlite-clock", "chatcore-sqlite-watch"}
    with anyio.fail_after(10):
        while opened_since(before):  # noqa: ASYNC110 - no event tells of it
            await anyio.sleep(0.01)


async def test_database_that_is_not_open_is_unavailable(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path)
    for call in (database.read, database.write):
        with pytest.raises(Unavailable):
            await call(lambda connection: connection.execute("SELECT 1"))
    async with database:
        pass
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute("SELECT 1"))


async def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "made here"
    before = os.umask(0)
    try:
        async with SqliteStore(folder) as store:
            await write(store, conversation(count=3))
            rights = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    finally:
        os.umask(before)
    assert rights.pop(folder.name) == 0o700
    assert rights.keys() == {"chatcore.sqlite3", "chatcore.sqlite3-wal", "chatcore.sqlite3-shm", "lock"}
    assert set(rights.values()) == {0o600}
