"""The threads with SQLite's connections: one writes (`group_commit`), and several read."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from queue import SimpleQueue
from typing import TypeAlias

from chatcore.errors import Unavailable

from . import driver_errors
from .completions import AnyJob, Completions
from .data_folder import Watch, connect_reader
from .eraser import Gate

Queue: TypeAlias = SimpleQueue[AnyJob | None]
"""The jobs of a thread. None ends the thread."""

END_S = 5
"""Seconds that closing waits for a thread that hangs in a call of the disk."""


class Worker(ABC):
    """A thread with its own connection that carries out the jobs of a queue."""

    def __init__(self, completions: Completions, queue: Queue, watch: Watch) -> None:
        self._completions = completions
        self._queue = queue
        self._watch = watch
        self._open: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="chatcore-sqlite", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(END_S)

    @abstractmethod
    def _connect(self) -> sqlite3.Connection:
        """Open a connection. Raises `Unavailable` and `sqlite3.Error`."""

    @abstractmethod
    def _carry_out(self, jobs: Sequence[AnyJob]) -> None:
        """Give every job its result or its error."""

    def _next(self) -> list[AnyJob | None]:
        return [self._queue.get()]

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

    def _end(self) -> None:
        self._drop()

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _drop(self) -> None:
        """Close the connection; the next job gets a new one."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _drop_if_broken(self, error: BaseException) -> None:
        if driver_errors.breaks_connection(error):
            self._drop()


class Reader(Worker):
    """Carries out reads one after the other, each on its own snapshot."""

    def __init__(self, completions: Completions, queue: Queue, watch: Watch, gate: Gate) -> None:
        self._gate = gate
        super().__init__(completions, queue, watch)

    def _connect(self) -> sqlite3.Connection:
        return self._watch.connect(connect_reader)

    def _carry_out(self, jobs: Sequence[AnyJob]) -> None:
        for job in jobs:
            with self._gate.inside():
                self._read(job)

    def _read(self, job: AnyJob) -> None:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            job.attempt(connection)
            connection.execute("ROLLBACK")
        except (sqlite3.Error, Unavailable) as error:
            job.error = job.error or error
        if job.error is not None:
            self._drop_if_broken(job.error)
            job.error = driver_errors.translated(job.error)


def fail_all(jobs: Sequence[AnyJob], error: Exception) -> bool:
    """Give ``error`` to the jobs without an error of their own. Returns True: nothing is left to try."""
    for job in jobs:
        job.error = driver_errors.translated(job.error or error)
    return True
