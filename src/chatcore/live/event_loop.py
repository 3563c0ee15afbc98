"""The calls to the event loop that every command makes: directly to asyncio, or through anyio on trio.

anyio detects the running library in each call and wraps the result. Through anyio these calls were a tenth of the cost
of a command.
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

import anyio
from anyio.lowlevel import current_token
from attrs import define

WRONG_LOOP = (
    "this Chat was entered in another event loop, and is used there alone: hand the call over to that loop, with "
    "asyncio.run_coroutine_threadsafe or anyio.from_thread.run; where nothing awaits, use chatcore.Blocking"
)

T = TypeVar("T")


def current_time() -> float:
    """Return the time of the event loop's clock, in seconds."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return anyio.current_time()


@define(eq=False)
class _LimitedCall:
    task: "asyncio.Task[Any]"
    deadline: float
    expired: bool = False


class TimeLimit:
    """Cancels calls that take longer than some seconds.

    On asyncio one timer serves all calls. A timer or a cancel scope of its own would cost a call more than the call.
    """

    __slots__ = ("_running", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_LimitedCall, None] = {}
        """The calls that run, the first deadline first."""
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, call: Awaitable[T]) -> T:
        """Return the result of ``call``. Raises TimeoutError if it takes too long, and the exceptions of ``call``."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            with anyio.fail_after(self._seconds):
                return await call
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        limited = _LimitedCall(task, loop.time() + self._seconds)
        self._running[limited] = None
        if self._timer is None:
            self._timer = loop.call_at(limited.deadline, self._expire, loop)
        try:
            result = await call
        except asyncio.CancelledError:
            if limited.expired and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            del self._running[limited]
        if limited.expired:
            task.uncancel()  # the call ended in spite of its cancellation
        return result

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for limited in tuple(self._running):
            if limited.deadline > now:
                self._timer = loop.call_at(limited.deadline, self._expire, loop)
                return
            if not limited.expired:
                limited.expired = True
                limited.task.cancel()


class LoopGuard:
    """Refuses calls outside of the event loop in which a Chat was entered.

    The tasks, events and timers of a Chat belong to that loop. Calls from another thread would make them hang or fail.
    """

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: object | None = None

    @property
    def entered(self) -> bool:
        """Whether the Chat was entered."""
        return self._loop is not None

    def enter(self) -> None:
        """Make the running event loop the one of the Chat."""
        self._loop = _running_loop()

    def check(self) -> None:
        """Raise RuntimeError if the Chat was entered and its event loop is not the running one."""
        try:
            loop: object | None = get_running_loop()  # the hot path: no further call on asyncio
        except RuntimeError:
            loop = _running_loop()
        if loop is not self._loop is not None:
            raise RuntimeError(WRONG_LOOP)


def _running_loop() -> object | None:
    """Return an object that identifies this thread's running event loop, or None if none runs."""
    try:
        return current_token().native_token
    except RuntimeError:
        return None


class Handover(Generic[T]):
    """Hands one value to one waiting task, which may have been cancelled."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[T] | _Future[T] = _new_future()

    def give(self, value: T) -> None:
        """Give the value. Does nothing if the waiting task was cancelled."""
        if not self._future.done():
            self._future.set_result(value)

    def take(self) -> Awaitable[T]:
        """Return an awaitable of the value, for one task."""
        return self._future


def _new_future() -> "asyncio.Future[Any] | _Future[Any]":
    try:
        return asyncio.get_running_loop().create_future()
    except RuntimeError:
        return _Future()


class _Future(Generic[T]):
    """The methods of asyncio's future that `Handover` uses."""

    def __init__(self) -> None:
        self._given = anyio.Event()
        self._values: list[T] = []

    def done(self) -> bool:
        return self._given.is_set()

    def set_result(self, value: T) -> None:
        self._values.append(value)
        self._given.set()

    def __await__(self) -> Generator[Any, Any, T]:
        yield from self._given.wait().__await__()
        return self._values[0]
