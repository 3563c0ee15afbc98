"""One process has a data folder: its lock file says so."""

import contextlib
import fcntl
import os
from pathlib import Path

from chatcore.errors import StoreError

from .syncing import sync


class FolderLock:
    """A held lock on a data folder; the kernel ends it with the process, however that dies.

    The folder is made where there is none, and its name is synced, so that a loss of power leaves it there. Raises
    `StoreError` when the folder can't be made or is locked, also when that is by this very process.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
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
                "MongoDB, which several can share."
            ) from error
        for path in (folder, *made):
            with contextlib.suppress(OSError):  # a folder that may not be read; SQLite takes that in the same way
                sync(path.parent)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        found = os.fstat(self._file)
        self.identity = found.st_dev, found.st_ino

    def release(self) -> None:
        os.close(self._file)


def _holder(file: int) -> str:
    written = os.pread(file, 20, 0).decode("ascii", "replace")
    if written == str(os.getpid()):
        return "another store of this process"
    return f"process {written}" if written.isdigit() else "another process"
