"""The database file in its folder: opening, closing, and every write and read."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio
import anyio.to_thread

from chatcore.errors import StoreError, Unavailable
from chatcore.fault_log import FaultLog

from . import schema, view_rebuild
from .completions import Completions, Job, Work
from .data_folder import LOST, FolderLock, Watch, connect_reader, connect_writer
from .eraser import Eraser, Gate
from .group_commit import GroupCommitter
from .workers import READERS, Queue, Reader, ReadQueue

T = TypeVar("T")

log: Final = logging.getLogger(__name__)


class SqliteDatabase:
    """A data folder with its SQLite database, open while entered.

    Several tasks may enter it: it opens with the first and closes with the last. A folder belongs to one process at a
    time, and in that process to one object. Text that a call of `write` with ``erases`` overwrites or deletes is gone
    from all files within ``erased_within`` seconds.
    """

    def __init__(self, folder: str | Path, *, erased_within: float = 60) -> None:
        self._erased_within = erased_within
        self.folder: Path = Path(folder).absolute()  # the working directory may change later
        self.file: Path = self.folder / "chatcore.sqlite3"
        self._entered = 0
        self._gate = anyio.Lock()
        self._session: _Session | None = None
        self._write_faults = FaultLog(str(self.file), "written to")
        self._read_faults = FaultLog(str(self.file), "read")

    async def __aenter__(self) -> Self:
        """Open the folder. If the call is cancelled, close it again.

        Raises `StoreError` if another process or object has the folder, if it cannot be read, or if it was removed or
        replaced while it was in use.
        """
        outcome: list[Exception | None] = []

        async def enter() -> None:
            try:
                await self._enter()
            except Exception as error:  # noqa: BLE001  # raised below, without an exception group
                outcome.append(error)
            else:
                outcome.append(None)

        try:
            # On asyncio a task's own cancellation passes a shield, but a task group waits for what it has started.
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(enter)
        except BaseException:
            if outcome == [None]:
                await self.__aexit__(None, None, None)
            raise
        if error := outcome[0]:
            raise error
        return self

    async def _enter(self) -> None:
        with anyio.CancelScope(shield=True):
            async with self._gate:
                if self._session is None:
                    lock, watch = await anyio.to_thread.run_sync(_open_watched, self.folder, self.file)
                    self._session = _Session(lock, watch, self._erased_within)
                elif self._session.watch.lost:
                    raise StoreError(LOST.format(self.folder))
                self._entered += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            async with self._gate:
                self._entered -= 1
                if self._entered == 0 and self._session is not None:
                    session, self._session = self._session, None
                    await anyio.to_thread.run_sync(session.close)

    async def write(self, work: Work[T], *, erases: bool = False) -> T:
        """Run ``work`` in a write transaction, in a thread, and return its result once its changes are durable.

        Calls during one commit share the next one. An exception of ``work`` undoes the changes of this call alone, and
        is raised here. ``work`` may run more than once, so it must change nothing but the database. It must not begin
        or end a transaction.

        Raises `Unavailable` on temporary faults, and at the latest after 2 s in which the event loop ran. The outcome
        is unknown then, as it is after a cancellation.
        """
        session = self._opened()
        return await self._wait(session, Job(work, erases=erases), session.writes.put, self._write_faults)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot, in a thread, and return its result. Raises `Unavailable` like `write`."""
        session = self._opened()
        return await self._wait(session, Job(work), session.reads.put, self._read_faults)

    async def _wait(self, session: "_Session", job: Job[T], put: Callable[[Job[T]], None], faults: FaultLog) -> T:
        try:
            result = await session.completions.wait(job, put)
        except Unavailable as fault:
            if not session.watch.lost:  # the watch has logged it
                faults.note(fault)
            raise
        faults.succeeded()
        return result

    async def migrate(self, announce: schema.Announce, *, dry_run: bool = False) -> None:
        """Bring the database to this version without entering it. ``announce`` is called before each step.

        With ``dry_run`` nothing is changed, and another process may have the folder. Raises `StoreError`.
        """
        if dry_run:
            await anyio.to_thread.run_sync(_look, self.file, announce)
        else:
            lock = await anyio.to_thread.run_sync(_open, self.folder, self.file, announce)
            lock.release()

    def _opened(self) -> "_Session":
        if self._session is None or self._session.watch.lost:
            raise Unavailable
        return self._session


class _Session:
    """The threads and queues of an open database."""

    def __init__(self, lock: FolderLock, watch: Watch, erased_within: float) -> None:
        self._lock = lock
        self.watch = watch
        self.reads = ReadQueue()
        self.completions = Completions(self.reads.put)
        self.writes: Queue = SimpleQueue()
        gate = Gate()
        eraser = Eraser(gate, erased_within)
        self._writer = GroupCommitter(self.completions, self.writes, watch, eraser)
        self._readers = [Reader(self.completions, self.reads, watch, gate) for _ in range(READERS)]

    def close(self) -> None:
        """Finish the queued calls, and leave one file with everything in it. Nothing is written to lost files.

        If SQLite would delete a foreign file, the database stays open until the process ends.
        """
        with contextlib.suppress(Unavailable):
            self.watch.confirm_all()
        if self.watch.hinders_closing():
            self.completions.close()
            return
        self.reads.close()
        for reader in self._readers:
            reader.join()
        self.writes.put(None)
        self._writer.join()
        self.watch.close()
        self.completions.close()
        self._lock.release()


def _announce_nothing(number: int, count: int, description: str) -> None: ...


def _open(folder: Path, file: Path, announce: schema.Announce = _announce_nothing) -> FolderLock:
    lock = FolderLock(folder)
    try:
        _prepare(file, announce)
    except BaseException:
        lock.release()
        raise
    return lock


def _open_watched(folder: Path, file: Path) -> tuple[FolderLock, Watch]:
    lock = _open(folder, file)
    try:
        return lock, Watch(file, lock)
    except (OSError, sqlite3.Error) as error:
        lock.release()
        raise StoreError(f"{file} can't be opened: {error}.") from error


def _look(file: Path, announce: schema.Announce) -> None:
    """Announce the steps that the file needs. The file may not exist."""
    try:
        with contextlib.closing(connect_reader(file) if file.exists() else sqlite3.connect(":memory:")) as connection:
            schema.migrate(connection, file, announce, dry_run=True)
    except sqlite3.Error as error:
        raise StoreError(f"{file} can't be opened: {error}.") from error


def _prepare(file: Path, announce: schema.Announce) -> None:
    try:
        # Only the owner may read the database. SQLite gives its other files the rights of this file.
        if not file.exists():
            log.info("SQLite database created: file=%s", file)
        file.touch(mode=0o600)
        connection = connect_writer(file)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{file} can't be opened: {error}.") from error
    try:
        schema.migrate(connection, file, announce)
        _make_views_right(connection)
    except sqlite3.Error as error:
        raise StoreError(f"{file} can't be opened: {error}.") from error
    finally:
        connection.close()


def _make_views_right(connection: sqlite3.Connection) -> None:
    """Rebuild the views if an older version made them, or if a rebuild did not end."""
    more = True
    while more:
        connection.execute("BEGIN IMMEDIATE")
        more = view_rebuild.step(connection)
        connection.execute("COMMIT")
