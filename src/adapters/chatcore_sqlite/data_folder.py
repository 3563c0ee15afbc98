"""The data folder: its lock, connections to its database, and the check that its files are still the opened ones.

SQLite keeps writing to a file that was unlinked or moved, and reports success. Such commits are lost.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from chatcore.errors import StoreError, Unavailable

log: Final = logging.getLogger(__name__)

BUSY_S = 0.8
"""Seconds that one attempt waits for a lock. A call that comes during another attempt waits twice, still below 2 s."""

WRITING = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "temp_store = MEMORY",  # no text in temporary files
    "foreign_keys = ON",
)

CHECK_S = 1.0
"""Seconds between two checks of all files."""

LOST = (
    "{} was removed or replaced while it was in use. Everything is refused from now on: stop the server, put the data "
    "folder back as it was (or restore a backup), and start the server again."
)

Identity: TypeAlias = tuple[int, int]
"""Device and inode of a file. While the file is held open, no other file gets the same ones."""


class FolderLock:
    """A held lock on a data folder. The kernel releases it when the process ends.

    A missing folder is created, and its name is synced, so that it survives a loss of power. Raises `StoreError` if
    the folder can't be created, or is locked by another process or by this one.
    """

    def __init__(self, folder: Path) -> None:
        self.path: Path = folder / "lock"
        try:
            made = [path for path in folder.parents if not path.exists()]
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The data folder {folder} can't be made: {error.strerror}; choose another.") from error
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"The data folder {folder} can't be used: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self._file)
            os.close(self._file)
            raise StoreError(
                f"The data folder {folder} is in use by {holder}: stop that one, choose another folder, or use "
                "MongoDB, which several processes can share."
            ) from error
        for path in (folder, *made):
            with contextlib.suppress(OSError):  # a folder that may not be read; SQLite ignores that too
                sync(path.parent)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        status = os.fstat(self._file)
        self.identity: tuple[int, int] = status.st_dev, status.st_ino

    def release(self) -> None:
        os.close(self._file)


def _holder(file: int) -> str:
    written = os.pread(file, 20, 0).decode("ascii", "replace")
    if written == str(os.getpid()):
        return "another store of this process"
    return f"process {written}" if written.isdigit() else "another process"


def sync(path: Path) -> None:
    """Sync a file's content, or a folder's names, where SQLite does not. Raises `OSError`.

    Do not call it for the database file: closing that file ends the locks of SQLite's connections on it.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def connect_writer(file: Path) -> sqlite3.Connection:
    """Open the connection that writes; there is never a second one. Raises `sqlite3.Error` if the file is missing."""
    return _connect(file, *WRITING)


def connect_reader(file: Path) -> sqlite3.Connection:
    """Open a connection that can't write. With `mode=ro` it could not create the shared memory that WAL needs."""
    return _connect(file, "query_only = ON")


def _connect(file: Path, *pragmas: str) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        timeout=BUSY_S,
        check_same_thread=False,  # one thread at a time uses the connection; another may close it
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Watch:
    """Notices when the folder, its lock, the database or one of SQLite's files beside it is removed or replaced.

    From then on `lost` is true, for ever: a file that comes back may lack later writes. An idle connection holds
    SQLite's files open, so SQLite itself never replaces them.

    Raises `OSError` and `sqlite3.Error` if the files cannot be opened.
    """

    def __init__(self, file: Path, lock: FolderLock) -> None:
        self.lost: bool = False
        self._file = file
        self._noticing = threading.Lock()
        self._closed = threading.Event()
        self._keeper = connect_reader(file)
        try:
            self._keeper.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens -wal and -shm
            self._folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except BaseException:
            self._keeper.close()
            raise
        wal, shared_memory = (Path(f"{file}{suffix}") for suffix in ("-wal", "-shm"))
        self._wal = str(wal)
        self._known = {
            str(file.parent): _identity(file.parent),
            str(lock.path): lock.identity,
            **{str(path): _identity(path) for path in (file, wal, shared_memory)},
        }
        self._written = {str(path): self._known[str(path)] for path in (file, wal)}
        threading.Thread(target=self._tick, name="chatcore-sqlite-watch", daemon=True).start()

    def confirm(self) -> None:
        """Raise `Unavailable` unless the database and its write-ahead log are still the opened files.

        The check costs two calls of ``stat``. It runs after every commit, before the commit is acknowledged.
        """
        self._confirm(self._written)

    def confirm_all(self) -> None:
        """Raise `Unavailable` unless the folder and all of its files are still the opened ones."""
        self._confirm(self._known)

    def connect(self, connect: Callable[[Path], sqlite3.Connection]) -> sqlite3.Connection:
        """Return a connection to the opened database, never to another. Raises `Unavailable` and `sqlite3.Error`."""
        self.confirm_all()
        connection = connect(self._file)
        try:
            self.confirm_all()
        except Unavailable:
            connection.close()
            raise
        return connection

    def hinders_closing(self) -> bool:
        """Return whether SQLite would delete a foreign file when the last connection is closed.

        Such a file is a write-ahead log that another program has put beside the opened database. If the database itself
        was moved or replaced, SQLite notices that and deletes nothing.
        """
        if not self.lost:
            return False
        file = str(self._file)
        try:
            return _identity(file) == self._known[file] and _identity(self._wal) not in (None, self._known[self._wal])
        except OSError:
            return True

    def close(self) -> None:
        """End the watch and close the idle connection. The last connection removes the files beside the database."""
        self._closed.set()
        self._keeper.close()
        os.close(self._folder)

    def _confirm(self, known: Mapping[str, Identity | None]) -> None:
        try:
            if not self.lost and not _unchanged(known.items()):
                self._lose()
        except OSError as error:
            raise Unavailable from error
        if self.lost:
            raise Unavailable

    def _lose(self) -> None:
        with self._noticing:
            if not self.lost and not self._closed.is_set():
                missing = [path for path, identity in self._known.items() if _identity(path) != identity]
                self.lost = True
                log.error(LOST.format(missing[0] if missing else self._file))

    def _tick(self) -> None:
        while not self._closed.wait(CHECK_S) and not self.lost:
            with contextlib.suppress(Unavailable):
                self.confirm_all()


def _unchanged(known: Iterable[tuple[str, Identity | None]]) -> bool:
    return all(_identity(path) == identity for path, identity in known)


def _identity(path: str | Path) -> Identity | None:
    """Return the identity of a file; None if there is no such file. Raises `OSError` on any other failure."""
    try:
        status = os.stat(path)  # noqa: PTH116 - every commit calls this, and Path.stat takes longer
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
