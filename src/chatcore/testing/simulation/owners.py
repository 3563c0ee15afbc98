"""Whose work a task is: what runs in a node's context dies with the node."""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import Any, TypeVar
from unittest.mock import patch

import anyio

Result = TypeVar("Result")

_OWNER: ContextVar["Owner | None"] = ContextVar("owner of a task", default=None)


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is not its address: sets of tasks, which anyio walks to cancel, then have one order."""

    def __init__(self, number: int, *arguments: Any, **keywords: Any) -> None:
        self._number = number
        super().__init__(*arguments, **keywords)

    def __hash__(self) -> int:
        return self._number


@contextmanager
def numbered_scopes() -> Generator[None]:
    """While entered, the hash of a cancel scope is not its address either: anyio walks sets of scopes as well."""
    numbers = count()

    def number(scope: anyio.CancelScope) -> int:
        return int(vars(scope).setdefault("number", next(numbers)))

    plain = type(anyio.CancelScope())  # the backend's class
    numbered = type(plain.__name__, (plain,), {"__hash__": number})
    with patch.object(sys.modules[plain.__module__], plain.__name__, numbered):
        yield


class Owner:
    """Something that can die. ``context`` is where what it owns is run; tasks inherit it from whoever starts them."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self.ending = self.dead = False
        self.held: list[asyncio.Handle] | None = None
        """What waits to run while this is blocked; None while it is not."""
        self.failed_at = -1.0
        """When a port of this node last raised `Unavailable` or kept it waiting, or the node was last blocked."""
        self.context: Context = copy_context()
        self.context.run(_OWNER.set, self)

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Run something until it ends, or until this is killed."""
        return asyncio.get_running_loop().create_task(work, context=self.context)

    def kill(self) -> None:
        """Cancel every task, wherever it stands."""
        self.dead = True
        for task in self.living():
            task.cancel()

    def living(self) -> list[asyncio.Task[Any]]:
        """The tasks that have not ended, oldest first."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return self._tasks

    def add(self, task: asyncio.Task[Any]) -> None:
        self._tasks.append(task)


def current() -> Owner | None:
    """The owner of the task that runs."""
    return _OWNER.get()


def hold_back(handle: asyncio.Handle) -> bool:
    """Keep what a blocked owner would run. Returns False for what may run now."""
    owner = handle._context.get(_OWNER)  # type: ignore[attr-defined]  # noqa: SLF001
    if owner is None or owner.held is None:
        return False
    owner.held.append(handle)
    return True


def own_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """From here on the loop's tasks are numbered, and belong to the owner in whose context they are started."""
    numbers = count()

    def make(
        loop: asyncio.AbstractEventLoop, work: Any, *, context: Context | None = None, **keywords: Any
    ) -> asyncio.Task[Any]:
        task = NumberedTask(next(numbers), work, loop=loop, context=context, **keywords)
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is not None:
            owner.add(task)
        return task

    loop.set_task_factory(make)
