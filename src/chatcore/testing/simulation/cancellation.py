"""Cancellation of a call at a chosen await, so that no place is left to chance."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

from attrs import frozen

from .faults import Faults

T = TypeVar("T")


@frozen
class CancelAt:
    """Where calls are cancelled: at their ``await_number``-th await.

    ``call`` is `connect`, `disconnect`, `close`, or a command by the way it came: `execute: sync`, `receive: sync`.
    """

    call: str
    await_number: int


class Cancellation:
    """Cancels calls, until the faults end; counts those that it cancelled."""

    def __init__(self, place: CancelAt | None, faults: Faults, counts: Counter[str]) -> None:
        self._place = place
        self._faults = faults
        self._counts = counts

    async def of(self, call: str, work: Coroutine[Any, Any, T]) -> T:
        """Carry out ``work``, a call of that name; cancel the task where that is due."""
        if self._place is None or self._place.call != call or self._faults.over:
            return await work
        return await _CancelledAt(work, self._place.await_number, self._counts)

    def of_block(self, block: AbstractAsyncContextManager[T]) -> AbstractAsyncContextManager[T]:
        """The same for the calls `connect` and `disconnect`, which enter and leave ``block``."""
        return _Block(self, block)


class _Block(AbstractAsyncContextManager[T]):
    def __init__(self, cancellation: Cancellation, block: AbstractAsyncContextManager[T]) -> None:
        self._cancellation = cancellation
        self._block = block

    async def __aenter__(self) -> T:
        return await self._cancellation.of("connect", self._block.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._cancellation.of("disconnect", self._block.__aexit__(kind, error, traceback))


class _CancelledAt(Generic[T]):
    """Awaits a coroutine, and cancels the task that does so when it awaits for the n-th time."""

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
            except BaseException as error:  # noqa: BLE001  # it is the coroutine's to handle
                resume = partial(self._work.throw, error)
