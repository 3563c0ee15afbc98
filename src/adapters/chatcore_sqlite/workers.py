"""The threads with SQLite's connections: one writes (`group_commit`), and several read."""

import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import TypeAlias

from attrs import define

from chatcore.errors import Unavailable

from . import driver_errors
from .completions import AnyJob, Completions
from .data_folder import Watch, connect_reader
from .eraser import Gate

Queue: TypeAlias = SimpleQueue[AnyJob | None]
"""The jobs of the thread that writes. None ends the thread."""

READERS = 4
SLOW_S = 0.05
"""Seconds that a reader is at one job before another reader begins the next."""
TOGETHER_S = 0.02
"""Seconds for which a reader that has more jobs keeps results back, to wake the event loop once for several of them."""

END_S = 5
"""Seconds that closing waits for a thread that hangs in a call of the disk."""


class Worker(ABC):
    """A thread with its own connection that carries out jobs."""

    def __init__(self, completions: Completions, watch: Watch) -> None:
        self._completions = completions
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
    def _run(self) -> None:
        """Give every job its result or its error, until the thread ends."""

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


@define(eq=False)
class Turn:
    """The time for which a reader is awake. ``began`` is when its present job began, on the monotonic clock."""

    began: float


class ReadQueue:
    """The reads that wait for a reader. As few readers as possible are awake: two at once fight for Python's lock."""

    def __init__(self) -> None:
        self._jobs: deque[AnyJob] = deque()
        self._lock = threading.Lock()
        self.turns: SimpleQueue[Turn | None] = SimpleQueue()
        """The turns of readers, which wait for them. None ends a reader."""
        self._awake: set[Turn] = set()

    def put(self, *jobs: AnyJob) -> None:
        """Add jobs, if any. Wake a reader if jobs wait, and no reader is awake or all that are awake have slow jobs."""
        self._jobs.extend(jobs)
        with self._lock:
            now = time.monotonic()
            if not self._jobs or len(self._awake) == READERS:
                return
            for turn in self._awake:
                if now - turn.began < SLOW_S:
                    return
            turn = Turn(now)
            self._awake.add(turn)
        self.turns.put(turn)

    def take(self, turn: Turn) -> AnyJob | None:
        """Return the first job. Returns None if there is none: then the turn has ended."""
        with self._lock:
            if not self._jobs:
                self._awake.remove(turn)
                return None
            turn.began = time.monotonic()
            return self._jobs.popleft()

    def close(self) -> None:
        """End all readers once no job waits."""
        for _ in range(READERS):
            self.turns.put(None)


class Reader(Worker):
    """Carries out reads one after the other, each on its own snapshot."""

    def __init__(self, completions: Completions, queue: ReadQueue, watch: Watch, gate: Gate) -> None:
        self._queue = queue
        self._gate = gate
        super().__init__(completions, watch)

    def _connect(self) -> sqlite3.Connection:
        return self._watch.connect(connect_reader)

    def _run(self) -> None:
        while turn := self._queue.turns.get():
            woken_at = turn.began
            job = self._queue.take(turn)
            while job:
                if not job.abandoned:
                    self._carry_out(job)
                following = self._queue.take(turn)
                wakes = following is None or turn.began - woken_at > TOGETHER_S
                self._completions.settle([job], wakes=wakes)
                woken_at = turn.began if wakes else woken_at
                job = following
        self._drop()

    def _carry_out(self, job: AnyJob) -> None:
        if self._watch.lost:
            job.error = Unavailable()
        else:
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
