"""Taking erased text out of the write-ahead log, which keeps the former pages until it is truncated.

Only ``wal_checkpoint(TRUNCATE)`` does it, and only while nobody reads. It is done by the one connection that writes,
between two groups of writes, and never waits there: the readers are kept out for a moment, writing goes on until the
last of them has left, and where one stays longer, or another program reads, it is tried again a little later.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from chatcore.errors import Unavailable

from .connections import BUSY_S
from .syncing import sync

KEPT_OUT_S = 0.25
"""Readers wait no longer than this for one attempt."""
LOOK_S = 0.002
"""How often it is looked whether the last reader has left, when nothing is written meanwhile."""


class Gate:
    """Where readers go in and out, and can be kept out for a moment."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def inside(self) -> Generator[None, None, None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1

    def shut(self) -> None:
        with self._changed:
            self._shut = True

    def open(self) -> None:
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def is_empty(self) -> bool:
        with self._changed:
            return self._inside == 0


class Eraser:
    """Decides when the writing thread truncates: well within ``within`` seconds after a text was erased."""

    def __init__(self, gate: Gate, within: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate = gate
        self._first, self._again = within / 6, within / 60
        self._clock = clock
        self._at: float | None = clock() + self._first
        """When to try, if there is anything to erase: at first there may be, from before a crash."""
        self._since: float | None = None
        """Since when the readers are kept out."""

    def note(self) -> None:
        """Text was erased, and the write-ahead log has it still."""
        if self._at is None:
            self._at = self._clock() + self._first

    def wait(self) -> float | None:
        """How many seconds the thread may wait for something to write; None for ever."""
        if self._since is not None:
            return LOOK_S
        return None if self._at is None else max(0.0, self._at - self._clock())

    def attempt(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Truncate when it is time for it and nobody is in the way. Never waits."""
        now = self._clock()
        if self._at is None or now < self._at:
            return
        if self._since is None:
            self._gate.shut()
            self._since = now
        if not self._gate.is_empty() and now - self._since < KEPT_OUT_S:
            return
        try:
            if self._gate.is_empty() and truncate(connect()):
                self._at = None
        finally:
            self._gate.open()
            self._since = None
            if self._at is not None:
                self._at = now + self._again


def truncate(connection: sqlite3.Connection) -> bool:
    """Write the write-ahead log into the database file and empty it; False while somebody reads. Does not wait.

    SQLite syncs neither a log that it empties nor the folder in which it deletes one: without that, a loss of power
    could bring the former pages back. Raises `Unavailable` where they cannot be synced.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        file = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
    if busy:
        return False
    try:
        sync(Path(f"{file}-wal"))
        sync(file.parent)
    except OSError as error:
        raise Unavailable from error
    return True
