"""Work on its way from a caller in the event loop to a thread with a connection, and its outcome on the way back."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

import anyio
from anyio.lowlevel import current_token

from chatcore.errors import Unavailable

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

LIMIT_S = 1.7
"""A caller waits no longer than this, whatever SQLite, the disk or another program does."""

TICK_S = 0.1
"""How often it is looked whether somebody waits too long."""


class Job(Generic[T]):
    """One call of `Database.write` or `Database.read`. A thread fills it in; it is settled in the loop's thread."""

    __slots__ = ("abandoned", "deadline", "erases", "error", "result", "settled", "work")

    def __init__(self, work: Work[T], *, erases: bool = False) -> None:
        self.work = work
        self.erases = erases
        self.deadline = time.monotonic() + LIMIT_S - TICK_S
        self.settled = anyio.Event()
        self.abandoned = False  # nobody waits any more: it need not be begun
        self.result: T | None = None
        self.error: BaseException | None = None

    def attempt(self, connection: sqlite3.Connection) -> None:
        """Do the work and keep what it gives or raises."""
        self.error = None
        try:
            self.result = self.work(connection)
        except BaseException as error:  # noqa: BLE001 - it is the caller's: raised in `outcome`
            self.error = error

    def outcome(self) -> T:
        if self.abandoned:
            raise Unavailable from TimeoutError(f"there was no answer within {LIMIT_S} s")
        if self.error is not None:
            raise self.error
        return cast("T", self.result)


AnyJob: TypeAlias = Job[Any]


class Desk:
    """Where callers wait. Made in an event loop; `settle` is called from other threads."""

    def __init__(self) -> None:
        loop: Any = current_token().native_token  # an asyncio event loop or a trio token
        self._soon: Callable[..., object] = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        self._waiting: dict[AnyJob, None] = {}  # the one that came first stands first
        self._closed = threading.Event()
        threading.Thread(target=self._tick, name="chatcore-sqlite-clock", daemon=True).start()

    async def wait(self, job: Job[T], hand_over: Callable[[Job[T]], None]) -> T:
        """Hand the job to a thread and return its outcome. Whoever is cancelled leaves; the job's group goes on."""
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

    def settle(self, jobs: Sequence[AnyJob]) -> None:
        """Wake the callers of these jobs."""
        self._call(_wake, jobs)

    def close(self) -> None:
        self._closed.set()

    def _call(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._soon(function, *args)
        except RuntimeError:  # the loop has ended, and whoever waited in it with it
            self._closed.set()

    def _tick(self) -> None:
        while not self._closed.wait(TICK_S):
            if self._waiting:
                self._call(self._give_up)

    def _give_up(self) -> None:
        now = time.monotonic()
        for job in self._waiting:
            if job.deadline > now:
                break
            job.abandoned = True
            job.settled.set()


def _wake(jobs: Sequence[AnyJob]) -> None:
    for job in jobs:
        job.settled.set()
