"""The data folder or a file in it is removed or replaced under an open store."""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from chatcore.errors import StoreError, Unavailable
from chatcore.testing.builders import conversation, message
from chatcore.testing.logs import everything, write
from chatcore_sqlite import SqliteStore

pytestmark = pytest.mark.anyio

NOTICED_S = 2.0
"""Seconds within which an idle store notices a loss."""

FILE = "chatcore.sqlite3"
WAL = f"{FILE}-wal"
SHM = f"{FILE}-shm"

Loss: TypeAlias = Callable[[Path], object]


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replaced_by_a_copy(folder: Path) -> None:
    moved(folder)
    shutil.copytree(folder.with_name("elsewhere"), folder)


def file_removed(name: str) -> Loss:
    return lambda folder: (folder / name).unlink()


def file_replaced(name: str) -> Loss:
    """Move another file over the database, as `rsync` and most restore tools do."""

    def replace(folder: Path) -> None:
        copy = folder.with_name("copy")
        shutil.copy(folder / name, copy)
        copy.rename(folder / name)

    return replace


WHILE_WRITING: dict[str, tuple[Loss, str]] = {
    "folder removed": (removed, ""),
    "folder moved": (moved, ""),
    "folder replaced": (replaced_by_a_copy, ""),
    "database removed": (file_removed(FILE), FILE),
    "database replaced": (file_replaced(FILE), FILE),
    "log removed": (file_removed(WAL), WAL),
    "log replaced": (file_replaced(WAL), WAL),
}
"""Losses that are noticed before the next acknowledgement, and the text of the log line."""

WITHIN_A_SECOND: dict[str, tuple[Loss, str]] = {
    "lock removed": (file_removed("lock"), "lock"),
    "lock replaced": (file_replaced("lock"), "lock"),
    "shared memory removed": (file_removed(SHM), SHM),
}

EVERY_LOSS = WHILE_WRITING | WITHIN_A_SECOND


def parameters(losses: dict[str, tuple[Loss, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("lose", "named"), losses.values(), ids=losses.keys())


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in and beside the data folder."""
    return {str(path): path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}


async def refused(call: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(Unavailable):
        await call()


@pytest.mark.parametrize("entries", [0, 3])
async def test_store_that_is_left_unchanged_loses_nothing(
    entries: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    for opening in range(10):
        async with SqliteStore(folder) as store:
            await write(store, conversation(f"room {opening}", entries))
        assert contents(folder).keys() == {str(folder / FILE), str(folder / "lock")}
    assert not caplog.messages


@parameters(WHILE_WRITING)
async def test_append_after_loss_is_not_acknowledged(
    lose: Loss, named: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    async with SqliteStore(folder) as store:
        await write(store, conversation("room", 3))
        lose(folder)
        await refused(partial(store.append, [message("room", 4)]))
        for call in (store.probe, partial(store.state, "room"), partial(store.append, [message("room", 4)])):
            await refused(call)
    (line,) = caplog.messages
    assert line.startswith(f"{folder / named} was removed or replaced while it was in use. ")


class Announcer(logging.Handler):
    """A log handler that sets an event at each record."""

    def __init__(self, logged: threading.Event) -> None:
        super().__init__()
        self.logged = logged

    def emit(self, record: logging.LogRecord) -> None:
        self.logged.set()


@contextmanager
def first_record() -> Generator[threading.Event]:
    """An event that is set at the first log record. The store logs a loss in a separate thread."""
    logger, announcer = logging.getLogger("chatcore_sqlite"), Announcer(threading.Event())
    logger.addHandler(announcer)
    try:
        yield announcer.logged
    finally:
        logger.removeHandler(announcer)


@parameters(EVERY_LOSS)
async def test_idle_store_notices_loss_within_2_s(
    lose: Loss, named: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    async with SqliteStore(folder) as store:
        await write(store, conversation("room", 3))
        with first_record() as logged:
            lose(folder)
            assert await anyio.to_thread.run_sync(logged.wait, 3 * NOTICED_S)
        for call in (store.probe, partial(store.state, "room"), partial(store.append, [message("room", 4)])):
            await refused(call)
    (line,) = caplog.messages
    assert line.startswith(f"{folder / named} was removed or replaced while it was in use. ")


@parameters(WHILE_WRITING)
async def test_closing_after_loss_changes_no_foreign_file(lose: Loss, named: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with SqliteStore(folder) as store:
        await write(store, conversation("room", 3))
        lose(folder)
        await refused(store.probe)
        before = contents(folder)
    after = contents(folder)
    if named == WAL and str(folder / WAL) not in before:
        assert after.keys() == {str(folder / FILE), str(folder / "lock")}  # the folder still belongs to the store
    else:
        assert after == before


async def test_closing_keeps_acknowledged_entries_if_only_wal_was_removed(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation("room", 3))
        (tmp_path / WAL).unlink()
        await refused(store.probe)
    async with SqliteStore(tmp_path) as store:
        assert [entry.seq for entry in await everything(store, "room")][:3] == [1, 2, 3]


async def test_moved_folder_is_complete(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "data") as store:
        await write(store, conversation("room", 3))
        moved(tmp_path / "data")
        await refused(store.probe)
    async with SqliteStore(tmp_path / "elsewhere") as store:
        assert len(await everything(store, "room")) == 3


async def test_lost_store_stays_unavailable_until_reopened(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    store = SqliteStore(folder)
    async with store:
        await write(store, conversation("room", 3))
        moved(folder)
        await refused(store.probe)
        elsewhere.rename(folder)
        for call in (store.probe, partial(store.state, "room")):
            await refused(call)
        with pytest.raises(StoreError, match="was removed or replaced"):
            await store.__aenter__()
    async with store:
        assert len(await everything(store, "room")) == 3
        await write(store, [message("room", 4)])


@pytest.mark.parametrize("lose", [removed, moved, file_removed(FILE)], ids=["removed", "moved", "database removed"])
async def test_second_store_on_path_is_not_disturbed_by_lost_store(lose: Loss, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with SqliteStore(folder) as first:
        await write(first, conversation("room", 3))
        lose(folder)
        (folder / "lock").unlink(missing_ok=True)
        second = SqliteStore(folder)
        await second.__aenter__()
        await write(second, conversation("other", 5))
        await refused(first.probe)
        await refused(partial(first.append, [message("room", 4)]))
    assert (folder / WAL).stat().st_size > 0
    await write(second, [message("other", 6)])
    assert len(await everything(second, "other")) == 6
    assert (await second.state("room")).head == 0
    with closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as other_program:
        assert other_program.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    await second.__aexit__(None, None, None)
    async with SqliteStore(folder) as third:
        assert len(await everything(third, "other")) == 6


async def test_new_connection_after_loss_opens_no_foreign_database(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with SqliteStore(folder) as store:
        await write(store, conversation("room", 3))
        await store.database.write(lambda connection: connection.execute("PRAGMA query_only = ON"))
        moved(folder)
        shutil.copytree(tmp_path / "elsewhere", folder)
        before = contents(folder)
        await refused(partial(store.append, [message("room", 4)]))  # the write fails, and the connection is renewed
        await refused(partial(store.append, [message("room", 4)]))
    assert contents(folder) == before
