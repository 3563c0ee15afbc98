"""Erasure of deleted text from the write-ahead log, which keeps former pages until it is truncated.

Only ``wal_checkpoint(TRUNCATE)`` truncates the log, and only while there is no reader. The writing connection does this
between two groups of writes, without waiting: readers are held back for a moment while writes continue. If a reader
stays longer, or another program reads, the eraser tries again a little later.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from chatcore.errors import Unavailable

from .data_folder import BUSY_S, sync

KEPT_OUT_S = 0.25
"""The most seconds that readers wait for one attempt."""
CHECK_INTERVAL_S = 0.002
"""Seconds between two checks whether the last reader has left, while nothing is written."""


class Gate:
    """Counts the readers, and can hold them back for a moment."""

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
        """The time of the next attempt; None if there is nothing to erase. At first there may be text from before a
        crash."""
        self._since: float | None = None
        """The time since which readers are held back; None if they are not."""

    def note(self) -> None:
        """Note that the write-ahead log has text that was erased."""
        if self._at is None:
            self._at = self._clock() + self._first

    def wait(self) -> float | None:
        """Return the seconds that the thread may wait for a write; None for no limit."""
        if self._since is not None:
            return CHECK_INTERVAL_S
        return None if self._at is None else max(0.0, self._at - self._clock())

    def attempt(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Truncate the log if an attempt is due and there is no reader. Never waits."""
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
    """Write the write-ahead log to the database file and empty it. Returns False while there is a reader; never waits.

    SQLite syncs neither a log that it empties nor the folder of a log that it deletes. So this syncs both: otherwise a
    loss of power could bring the former pages back. Raises `Unavailable` if they cannot be synced.
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
