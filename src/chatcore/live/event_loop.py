"""What every command asks of the event loop: directly on asyncio, through anyio elsewhere.

anyio looks at each call for the library that runs, and wraps what that gives. Of all that a command costs these few
calls were a tenth.
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

import anyio
from anyio.lowlevel import current_token

WRONG_LOOP = (
    "this Chat was entered in another event loop, and is used there alone: hand the call over to that loop, with "
    "asyncio.run_coroutine_threadsafe or anyio.from_thread.run"
)

T = TypeVar("T")


def current_time() -> float:
    """The event loop's clock, in seconds."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return anyio.current_time()


class LoopGuard:
    """The event loop in which a Chat was entered; a call from any other loop is refused.

    Its tasks, events and timers belong to that loop: used from another thread they hang or fail for others.
    """

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: object | None = None

    @property
    def entered(self) -> bool:
        return self._loop is not None

    def enter(self) -> None:
        self._loop = _running_loop()

    def check(self) -> None:
        """Raises RuntimeError where another event loop runs, or none, once there is one that was entered."""
        try:
            loop: object | None = get_running_loop()  # each command asks: on asyncio without a further call
        except RuntimeError:
            loop = _running_loop()
        if loop is not self._loop is not None:
            raise RuntimeError(WRONG_LOOP)


def _running_loop() -> object | None:
    """What identifies the event loop that runs in this thread; None where none does."""
    try:
        return current_token().native_token
    except RuntimeError:
        return None


class Handover(Generic[T]):
    """One value, given by whoever has it to the one task that waits for it, which may have been cancelled."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[T] | _Future[T] = _new_future()

    def give(self, value: T) -> None:
        if not self._future.done():
            self._future.set_result(value)

    def take(self) -> Awaitable[T]:
        return self._future


def _new_future() -> "asyncio.Future[Any] | _Future[Any]":
    try:
        return asyncio.get_running_loop().create_future()
    except RuntimeError:
        return _Future()


class _Future(Generic[T]):
    """As much of asyncio's as is needed here."""

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
