"""Records the file operations of the SQLite library of this Python, in their order.

`recorded` registers a VFS as the default, in the library that the module `sqlite3` uses, so that the code under test
needs no change. The VFS is a copy of SQLite's own. Its functions that change or sync a file record the call and then
call SQLite's. A Python with SQLite linked into it does not export the functions that this needs.
"""

import _sqlite3
import ctypes
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_int64, c_void_p, cast, memmove, sizeof
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest
from anyio.lowlevel import EventLoopToken, checkpoint

from .simulated_disk import Disk

OK = 0
TURNS = 10
"""Turns of the event loop that are enough for a caller that was woken before to run."""

FILE = c_void_p
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, FILE, c_int, POINTER(c_int))  # keeps the pointer to the name valid
DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
WRITE = CFUNCTYPE(c_int, FILE, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, FILE, c_int64)
SYNC = CFUNCTYPE(c_int, FILE, c_int)
OPEN_DIRECTORY = CFUNCTYPE(c_int, c_char_p, POINTER(c_int))
SET_CALL = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
GET_CALL = CFUNCTYPE(c_void_p, c_void_p, c_char_p)


class Vfs(ctypes.Structure):
    """``sqlite3_vfs``, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", OPEN),
        ("xDelete", DELETE),
        *((name, c_void_p) for name in ("xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose")),
        *((name, c_void_p) for name in ("xRandomness", "xSleep", "xCurrentTime", "xGetLastError", "xTimeInt64")),
        ("xSetSystemCall", SET_CALL),
        ("xGetSystemCall", GET_CALL),
        ("xNextSystemCall", c_void_p),
    )


class Methods(ctypes.Structure):
    """``sqlite3_io_methods``, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", WRITE),
        ("xTruncate", TRUNCATE),
        ("xSync", SYNC),
        *((name, c_void_p) for name in ("xFileSize", "xLock", "xUnlock", "xCheckReservedLock", "xFileControl")),
        *((name, c_void_p) for name in ("xSectorSize", "xDevice", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap")),
        *((name, c_void_p) for name in ("xFetch", "xUnfetch")),
    )


def library() -> Any:
    """The SQLite library that the module `sqlite3` uses."""
    loaded = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        loaded.sqlite3_vfs_find.restype = POINTER(Vfs)
    except AttributeError:
        pytest.fail("This Python has SQLite linked into itself: run this test on one that uses a libsqlite3.")
    return loaded


class Recorder:
    """The VFS, which records onto a `Disk`."""

    def __init__(self, disk: Disk, token: EventLoopToken) -> None:
        self._disk = disk
        self._token = token
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._files: dict[int, int] = {}  # by the address of an open sqlite3_file: the number of the file on the disk
        self._methods: dict[int, Methods] = {}  # by the address of SQLite's methods: the recording methods
        self._kept: list[object] = []  # references to callbacks, since C does not keep them alive
        self._sqlite = library()
        self._own = self._sqlite.sqlite3_vfs_find(None)
        self._vfs = Vfs()
        memmove(byref(self._vfs), self._own, sizeof(Vfs))
        self._vfs.zName = b"recorder"
        self._vfs.xOpen, self._vfs.xDelete = self._keep(OPEN(self._open)), self._keep(DELETE(self._delete))
        own = self._own.contents
        self._open_directory = OPEN_DIRECTORY(own.xGetSystemCall(self._own, b"openDirectory"))
        self._opening = self._keep(OPEN_DIRECTORY(self._opening_directory))

    def begin(self) -> None:
        self._sqlite.sqlite3_vfs_register(byref(self._vfs), 1)
        own = self._own.contents
        own.xSetSystemCall(self._own, b"openDirectory", cast(self._opening, c_void_p))

    def end(self) -> None:
        self._own.contents.xSetSystemCall(self._own, b"openDirectory", None)
        self._sqlite.sqlite3_vfs_unregister(byref(self._vfs))
        self._sqlite.sqlite3_vfs_register(self._own, 1)

    def made(self, folder: Path) -> None:
        with self._lock:
            self._disk.make_folder(folder)

    def synced(self, path: Path, sync: Callable[[], None]) -> None:
        """Record that Python syncs a file or folder."""
        began = self._begin_sync()
        sync()
        with self._lock:
            self._disk.sync_path(path, began)

    def _keep(self, function: Any) -> Any:
        self._kept.append(function)
        return function

    def _begin_sync(self) -> int:
        """Let the event loop process earlier results before the sync, as if the disk were slow.

        So a caller that is acknowledged before the end of the sync always records the acknowledgement before the sync.
        Returns the position up to which the sync covers the disk.
        """
        anyio.from_thread.run(_some_turns, token=self._token)
        with self._lock:
            return self._disk.position

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        result: int = self._own.contents.xOpen(vfs, name, file, flags, out)
        if result == OK and name is not None:
            with self._lock:
                self._files[file] = self._disk.open(Path(os.fsdecode(ctypes.string_at(name))))
                methods = cast(file, POINTER(c_void_p))
                methods[0] = ctypes.addressof(self._recording(methods[0] or 0))
        return result

    def _recording(self, address: int) -> Methods:
        if address not in self._methods:
            own = cast(address, POINTER(Methods)).contents
            methods = Methods()
            memmove(byref(methods), byref(own), sizeof(Methods))

            def write(file: int, data: int, size: int, offset: int) -> int:
                with self._lock:
                    self._disk.write(self._files[file], offset, ctypes.string_at(data, size))
                    return int(own.xWrite(file, data, size, offset))

            def truncate(file: int, size: int) -> int:
                with self._lock:
                    self._disk.truncate(self._files[file], size)
                    return int(own.xTruncate(file, size))

            def sync(file: int, flags: int) -> int:
                began = self._begin_sync()
                self._thread.folder = None
                result: int = own.xSync(file, flags)
                with self._lock:
                    self._disk.sync(self._files[file], began)
                    self._sync_folder(began)
                return result

            methods.xWrite, methods.xTruncate = self._keep(WRITE(write)), self._keep(TRUNCATE(truncate))
            methods.xSync = self._keep(SYNC(sync))
            self._methods[address] = methods
        return self._methods[address]

    def _delete(self, vfs: int, name: bytes, and_sync: int) -> int:
        with self._lock:
            self._disk.delete(Path(os.fsdecode(name)))
            began = self._disk.position
        self._thread.folder = None
        result: int = self._own.contents.xDelete(vfs, name, and_sync)
        with self._lock:
            self._sync_folder(began)
        return result

    def _opening_directory(self, name: bytes, out: Any) -> int:
        """Keep the folder of the file ``name``: SQLite opens a folder only to sync it."""
        self._thread.folder = Path(os.fsdecode(name)).parent
        return int(self._open_directory(name, out))

    def _sync_folder(self, began: int) -> None:
        if self._thread.folder is not None:
            self._disk.sync_path(self._thread.folder, began)


async def _some_turns() -> None:
    for _ in range(TURNS):
        await checkpoint()


@contextmanager
def recorded(disk: Disk, token: EventLoopToken) -> Generator[None, None, None]:
    """Record onto ``disk``, in the block, the file operations of SQLite, and the names and syncs of Python."""
    recorder = Recorder(disk, token)
    make, sync = os.mkdir, os.fsync

    def mkdir(path: Any, *arguments: Any) -> None:
        make(path, *arguments)
        recorder.made(Path(path))

    def fsync(file: int) -> None:
        status = os.fstat(file)
        recorder.synced(disk.path_of((status.st_dev, status.st_ino)), lambda: sync(file))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "mkdir", mkdir)
        patch.setattr(os, "fsync", fsync)
        recorder.begin()
        try:
            yield
        finally:
            recorder.end()
