"""Background tasks, which outlive the call that started them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import anyio
from anyio.abc import TaskGroup

from ..errors import ChatError
from ..fault_log import reason
from .event_loop import Handover

PAUSE_S = 0.5
IDLE_MAX = 1_000
"""The most idle tasks that are kept. Starting a task costs half as much as a command costs its room."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

log: Final = logging.getLogger(__name__)


class Background:
    """A task group in a task of its own. Its tasks keep running if the caller that entered it is cancelled.

    On asyncio it may be entered and left in different tasks, as pytest's fixtures and aiohttp's start-up and clean-up
    do; a bare task group would raise. Leaving it cancels the running tasks. An exception of a task is logged and does
    not end other tasks.
    """

    def __init__(self) -> None:
        self._group: TaskGroup | None = None
        self._host: asyncio.Task[None] | None = None
        self._outer: TaskGroup | None = None
        """Holds the task of ``_live`` on trio."""
        self._stop = anyio.Event()
        self._idle: list[Handover[Work]] = []
        """Tasks that wait for work."""

    def start(self, work: Work) -> None:
        """Run ``work`` in a task. Raises RuntimeError before `Background` is entered."""
        if self._group is None:
            raise RuntimeError("enter Background before you start work in it")
        if self._idle:
            self._idle.pop().give(work)
        else:
            self._group.start_soon(self._carry_out, work)

    async def _carry_out(self, work: Work) -> None:
        """Run ``work``, then wait as an idle task for further work."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("background task failed")
            if len(self._idle) >= IDLE_MAX:
                return
            del work  # an idle task must not keep in memory what its last work refers to, such as a room
            work = await self._next()

    async def _next(self) -> Work:
        idle: Handover[Work] = Handover()
        self._idle.append(idle)
        return await idle.take()

    @property
    def idle(self) -> int:
        """How many tasks wait for work."""
        return len(self._idle)

    def repeat(self, work: str, turn: Callable[[], Awaitable[None]], pause: float = PAUSE_S) -> None:
        """Call ``turn`` repeatedly while this is entered. ``turn`` itself waits for its work.

        Consecutive exceptions of one type give one log line. The first success after an exception gives another.

        Args:
            work: names the turns in the log.
            pause: seconds to wait after an exception.
        """
        self.start(partial(_repeated, work, turn, pause))

    async def __aenter__(self) -> Self:
        ready = anyio.Event()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._outer = await anyio.create_task_group().__aenter__()
            self._outer.start_soon(self._live, ready)
        else:
            self._host = asyncio.create_task(self._live(ready))
        try:
            await ready.wait()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _live(self, ready: anyio.Event) -> None:
        # Shielded: a Chat that is left by cancellation still carries out the queued commands.
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as self._group:
                ready.set()
                await self._stop.wait()
                self._group.cancel_scope.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._host is not None:
            with anyio.CancelScope(shield=True):
                await self._host
        elif self._outer is not None:
            await self._outer.__aexit__(None, None, None)


async def _repeated(work: str, turn: Callable[[], Awaitable[None]], pause: float) -> None:
    last: type[Exception] | None = None
    while True:
        try:
            await turn()
        except Exception as error:
            new = type(error) is not last
            if new and isinstance(error, ChatError):
                log.warning("background work failed, is repeated: work=%r reason=%s", work, reason(error))
            elif new:
                log.exception("background work failed, is repeated: work=%r", work)
            last = type(error)
            await anyio.sleep(pause)
        else:
            if last is not None:
                log.info("background work succeeded again: work=%r", work)
            last = None
