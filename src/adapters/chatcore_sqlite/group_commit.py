"""The thread that writes: one transaction for all jobs that arrived during the previous one."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from queue import Empty

from chatcore.errors import Unavailable

from . import driver_errors, statements
from .appends import Appends
from .completions import AnyJob, Completions
from .data_folder import Watch, connect_writer
from .eraser import Eraser, truncate
from .workers import Queue, Worker, fail_all


class TransactionLostError(Exception):
    """Nothing of a transaction was written: it was not committed."""


class GroupCommitter(Worker):
    """Group commit: all jobs that arrive during one commit share the next.

    Each job runs in its own savepoint, so that its error does not affect the others. If the transaction of a group is
    lost before its commit, each job is tried again alone. A commit to files that were removed or replaced is not
    acknowledged.

    An append that is a group by itself is one statement instead, if its entries are messages.
    """

    def __init__(self, completions: Completions, queue: Queue, watch: Watch, eraser: Eraser) -> None:
        self._queue = queue
        self._eraser = eraser
        super().__init__(completions, watch)

    def _connect(self) -> sqlite3.Connection:
        return self._watch.connect(_connect)

    def _run(self) -> None:
        taken: list[AnyJob | None] = []
        while None not in taken:
            taken = self._next()
            jobs = [job for job in taken if job is not None and not job.abandoned]
            if self._watch.lost:
                fail_all(jobs, Unavailable())
            else:
                self._carry_out(jobs)
            self._completions.settle(jobs)
        self._end()

    def _next(self) -> list[AnyJob | None]:
        self._erase()
        taken: list[AnyJob | None] = []
        with contextlib.suppress(Empty):
            taken.append(self._queue.get(timeout=self._eraser.wait()))
            while True:
                taken.append(self._queue.get_nowait())
        return taken

    def _carry_out(self, jobs: Sequence[AnyJob]) -> None:
        if jobs and not (self._alone(jobs) or self._together(jobs)):
            for job in jobs:
                if job.abandoned:
                    job.refuse()
                else:
                    self._together([job])
        if any(job.erases for job in jobs):
            self._eraser.note()

    def _alone(self, jobs: Sequence[AnyJob]) -> bool:
        """Run a single append without a transaction. Returns False if it wrote nothing and needs one."""
        if len(jobs) > 1 or not isinstance(jobs[0].work, Appends):
            return False
        try:
            jobs[0].result = jobs[0].work.alone(self._connection())
        except (sqlite3.Error, Unavailable) as error:
            self._drop_if_broken(error)
            return fail_all(jobs, error)
        return jobs[0].result is not None and self._confirm(jobs)

    def _together(self, jobs: Sequence[AnyJob]) -> bool:
        """Run one transaction. Returns False if it wrote nothing and each of its jobs should be tried alone."""
        for job in jobs:
            job.error = None  # the error of a transaction that was lost
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, Unavailable) as error:
            self._drop_if_broken(error)
            return fail_all(jobs, error)
        try:
            for job in jobs:
                _attempt(connection, job)
        except (sqlite3.Error, TransactionLostError) as error:
            return _rolled_back(connection, jobs, error)
        return self._commit(connection, jobs)

    def _commit(self, connection: sqlite3.Connection, jobs: Sequence[AnyJob]) -> bool:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if not driver_errors.is_io(error):
                return _rolled_back(connection, jobs, error)
            self._drop()  # what reached the disk is unknown: another COMMIT here may falsely report success
            return fail_all(jobs, error)
        return self._confirm(jobs)

    def _confirm(self, jobs: Sequence[AnyJob]) -> bool:
        try:
            self._watch.confirm()
        except Unavailable as error:
            return fail_all(jobs, error)
        return True

    def _erase(self) -> None:
        try:
            self._eraser.attempt(self._confirmed)
        except (sqlite3.Error, Unavailable) as error:
            self._drop_if_broken(error)

    def _end(self) -> None:
        with contextlib.suppress(sqlite3.Error, Unavailable):
            truncate(self._confirmed())
        self._drop()

    def _confirmed(self) -> sqlite3.Connection:
        """Return the connection. Raises `Unavailable` unless all files are still the opened ones."""
        self._watch.confirm_all()
        return self._connection()


def _connect(file: Path) -> sqlite3.Connection:
    connection = connect_writer(file)
    try:
        connection.executescript(statements.MESSAGE_WRITER)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _attempt(connection: sqlite3.Connection, job: AnyJob) -> None:
    """Run one job in its savepoint. Raises if the transaction is lost."""
    connection.execute("SAVEPOINT job")
    job.attempt(connection)
    if job.error is not None:
        if driver_errors.is_temporary(job.error) or not connection.in_transaction:
            raise TransactionLostError from job.error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _rolled_back(connection: sqlite3.Connection, jobs: Sequence[AnyJob], error: Exception) -> bool:
    with contextlib.suppress(sqlite3.Error):  # "no transaction is active": SQLite itself has ended it
        connection.execute("ROLLBACK")
    return len(jobs) == 1 and fail_all(jobs, error)
