"""Processes of nodes: their tasks, killing and blocking them, and cancelling calls at a chosen await."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Generic, TypeVar
from unittest.mock import patch

import anyio
from attrs import frozen

from .profile import FaultInjector

T = TypeVar("T")

_PROCESS: ContextVar["Process | None"] = ContextVar("process of a task", default=None)


class NumberedTask(asyncio.Task[Any]):
    """A task with a number as its hash. anyio walks sets of tasks to cancel them, so their order must be fixed."""

    def __init__(self, number: int, *arguments: Any, **keywords: Any) -> None:
        self._number = number
        super().__init__(*arguments, **keywords)

    def __hash__(self) -> int:
        return self._number


@contextmanager
def numbered_scopes() -> Generator[None]:
    """Give cancel scopes a number as their hash while the block runs: anyio walks sets of scopes too."""
    numbers = count()

    def number(scope: anyio.CancelScope) -> int:
        return int(vars(scope).setdefault("number", next(numbers)))

    plain = type(anyio.CancelScope())  # the backend's class
    numbered = type(plain.__name__, (plain,), {"__hash__": number})
    with patch.object(sys.modules[plain.__module__], plain.__name__, numbered):
        yield


class Process:
    """A process that can be killed or blocked. Tasks that are started in its ``context`` belong to it."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self.stopping: bool = False
        self.killed: bool = False
        self.held_handles: list[asyncio.Handle] | None = None
        """The callbacks that wait while the process is blocked; None while it is not blocked."""
        self.port_failed_at: float = -1.0
        """When a port of this process last raised `Unavailable` or was slow, or the process was last blocked."""
        self.context: Context = copy_context()
        self.context.run(_PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` in a task of this process."""
        return asyncio.get_running_loop().create_task(work, context=self.context)

    def kill(self) -> None:
        """Cancel every task of this process."""
        self.killed = True
        for task in self.running_tasks():
            task.cancel()

    def running_tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended, oldest first."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return self._tasks

    def add(self, task: asyncio.Task[Any]) -> None:
        self._tasks.append(task)


def current_process() -> Process | None:
    """Return the process of the running task."""
    return _PROCESS.get()


def hold_back(handle: asyncio.Handle) -> bool:
    """Keep ``handle`` if its process is blocked. Returns False if it may run now."""
    process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001
    if process is None or process.held_handles is None:
        return False
    process.held_handles.append(handle)
    return True


def assign_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Number the new tasks of ``loop``, and add each to the process of the context in which it starts."""
    numbers = count()

    def make(
        loop: asyncio.AbstractEventLoop, work: Any, *, context: Context | None = None, **keywords: Any
    ) -> asyncio.Task[Any]:
        task = NumberedTask(next(numbers), work, loop=loop, context=context, **keywords)
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is not None:
            process.add(task)
        return task

    loop.set_task_factory(make)


@frozen
class CancelAt:
    """Where calls are cancelled: at their ``await_number``-th await, counted from 1.

    ``call`` is `connect`, `disconnect`, `close`, or a command with the method that takes it: `execute: sync`,
    `receive: sync`.
    """

    call: str
    await_number: int


class Cancellation:
    """Cancels calls at a chosen await until the faults stop, and counts those that it cancelled."""

    def __init__(self, cancel_at: CancelAt | None, faults: FaultInjector, counts: Counter[str]) -> None:
        self._cancel_at = cancel_at
        self._faults = faults
        self._counts = counts

    async def run(self, call: str, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work``, a call with that name, and cancel its task if this call is to be cancelled."""
        if self._cancel_at is None or self._cancel_at.call != call or self._faults.stopped:
            return await work
        return await _CancelledAt(work, self._cancel_at.await_number, self._counts)

    def run_block(self, block: AbstractAsyncContextManager[T]) -> AbstractAsyncContextManager[T]:
        """Return ``block`` with its entry run as the call `connect` and its exit as the call `disconnect`."""
        return _Block(self, block)


class _Block(AbstractAsyncContextManager[T]):
    def __init__(self, cancellation: Cancellation, block: AbstractAsyncContextManager[T]) -> None:
        self._cancellation = cancellation
        self._block = block

    async def __aenter__(self) -> T:
        return await self._cancellation.run("connect", self._block.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._cancellation.run("disconnect", self._block.__aexit__(kind, error, traceback))


class _CancelledAt(Generic[T]):
    """Awaits a coroutine, and cancels the current task at the coroutine's n-th await."""

    def __init__(self, work: Coroutine[Any, Any, T], await_number: int, counts: Counter[str]) -> None:
        self._work = work
        self._left = await_number
        self._counts = counts

    def __await__(self) -> Generator[Any, Any, T]:
        resume: Callable[[], Any] = partial(self._work.send, None)
        while True:
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self._left -= 1
            task = asyncio.current_task()
            if not self._left and task:
                self._counts["cancelled"] += 1
                task.cancel()
            try:
                resume = partial(self._work.send, (yield awaited))
            except BaseException as error:  # noqa: BLE001  # the coroutine handles it
                resume = partial(self._work.throw, error)
