"""Jobs: calls that the event loop hands to a thread with a connection, and their completion in the loop."""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

import anyio
from anyio.lowlevel import current_token

from chatcore.errors import Unavailable

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

Event: TypeAlias = asyncio.Event | anyio.Event
"""On asyncio its own, since each call makes one: anyio's looks for the running library first."""

LIMIT_S = 1.7
"""The most seconds that a caller waits, whatever SQLite, the disk or another program does."""

TICK_S = 0.1
"""Seconds between two checks of the waiting calls against `LIMIT_S`."""

STALL_S = 0.5
"""A longer time between two checks means that the event loop was blocked or the process was stopped.

Such a time counts as one `TICK_S`.
"""


class Job(Generic[T]):
    """A call of `SqliteDatabase.write` or `.read`. A thread sets its outcome; the event loop then wakes its caller.

    Attributes:
        abandoned: no caller waits for the job any more, so a thread need not begin it.
        done: a thread has finished the job; ``result`` or ``error`` is its outcome.
        deadline: when the caller stops waiting, on the clock of its `Completions`.
        settled: set in the event loop when the caller may go on; made by `Completions`.
    """

    __slots__ = ("abandoned", "deadline", "done", "erases", "error", "result", "settled", "work")

    def __init__(self, work: Work[T], *, erases: bool = False) -> None:
        self.work: Work[T] = work
        self.erases: bool = erases
        self.deadline: float = 0.0
        self.settled: Event
        self.abandoned: bool = False
        self.done: bool = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def attempt(self, connection: sqlite3.Connection) -> None:
        """Do the work and keep its result or its error."""
        self.error = None
        try:
            self.result = self.work(connection)
        except BaseException as error:  # noqa: BLE001 - `outcome` raises it to the caller
            self.error = error

    def refuse(self) -> None:
        """Make the outcome an error: there was no answer in time."""
        self.error = _late()

    def outcome(self) -> T:
        if not self.done:
            raise _late()  # a thread may still set `error`
        if self.error is not None:
            raise self.error
        return cast("T", self.result)


AnyJob: TypeAlias = Job[Any]


class Completions:
    """The jobs that wait for a thread. Created in an event loop; `settle` is called from other threads.

    A job is given up after `LIMIT_S` in which the event loop ran. A blocked loop can neither hand jobs over nor take
    results, and a stopped process runs no thread. So that time says nothing about the database.
    """

    def __init__(self, on_check: Callable[[], None]) -> None:
        loop: Any = current_token().native_token  # an asyncio event loop or a trio token
        self._soon: Callable[..., object] = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        self._event: Callable[[], Event] = asyncio.Event if isinstance(loop, asyncio.AbstractEventLoop) else anyio.Event
        self._done: deque[AnyJob] = deque()
        self._waiting: dict[AnyJob, None] = {}  # in the order of their calls
        self._ran = 0.0  # seconds in which the loop ran while calls waited
        self._checked = 0.0  # when `_ran` was last updated, on the monotonic clock
        self._on_check = on_check
        self._closed = threading.Event()
        threading.Thread(target=self._tick, name="chatcore-sqlite-clock", daemon=True).start()

    async def wait(self, job: Job[T], hand_over: Callable[[Job[T]], None]) -> T:
        """Hand the job to a thread and return its outcome. If the caller is cancelled, the job's group continues."""
        if not self._waiting:
            self._checked = time.monotonic()
        job.deadline = self._ran + LIMIT_S
        job.settled = self._event()
        self._waiting[job] = None
        try:
            hand_over(job)
            await job.settled.wait()
        except BaseException:
            job.abandoned = True
            raise
        finally:
            del self._waiting[job]
        return job.outcome()

    def settle(self, jobs: Sequence[AnyJob], *, wakes: bool = True) -> None:
        """Mark jobs as done, and wake their callers: now, or with a later call or the next check of waiting calls."""
        for job in jobs:
            job.done = not job.abandoned
        self._done.extend(jobs)
        if wakes:
            self._call(self._wake)

    def close(self) -> None:
        self._closed.set()

    def _call(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._soon(function, *args)
        except RuntimeError:  # the loop has ended, and no caller waits any more
            self._closed.set()

    def _tick(self) -> None:
        while not self._closed.wait(TICK_S):
            if self._waiting:
                self._call(self._check)

    def _wake(self) -> None:
        while self._done:
            self._done.popleft().settled.set()

    def _check(self) -> None:
        self._wake()
        self._on_check()
        now = time.monotonic()
        passed, self._checked = now - self._checked, now
        self._ran += passed if passed < STALL_S else TICK_S
        for job in self._waiting:
            if job.deadline > self._ran:
                break
            job.abandoned = not job.done
            job.settled.set()


def _late() -> Unavailable:
    error = Unavailable()
    error.__cause__ = TimeoutError(f"there was no answer within {LIMIT_S} s")
    return error
