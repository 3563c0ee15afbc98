"""Time that passes only when nothing else can happen: a minute takes a millisecond, on asyncio and on trio."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from trio.testing import MockClock

STEPS_MAX = 100_000
"""More than any honest work does in one moment."""


class Stuck(RuntimeError):
    """Something goes round in a circle, for which time does not pass."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer whenever nothing is ready. Not for loops that use threads.

    It looks into asyncio's own heap of timers, which has no public name.
    """

    _ready: Any
    _scheduled: list[Any]
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        super()._run_once()  # type: ignore[misc]

    def _jump(self) -> None:
        """To the moment of the next timer."""
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False  # noqa: SLF001
            self._timer_cancelled_count -= 1
        if self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())


class ShuffledLoop(VirtualTimeLoop):
    """Virtual time in which what is ready runs in an order that ``random`` chooses: every race is run, by some seed.

    Nothing is waited for but timers: sockets, signals and other threads are not looked at, which makes it fast.
    ``shuffle`` is how likely a step departs from first in, first out. The same random numbers give the same run. Raises
    `Stuck` where something never waits.
    """

    def __init__(self, random: Random, shuffle: float = 1.0) -> None:
        super().__init__()
        self._ready = []
        self._random = random.random
        self._shuffle = shuffle
        self.hold_back: Callable[[asyncio.Handle], bool] | None = None
        """Takes what must not run now, and returns whether it has."""

    def make_ready(self, handles: Iterable[asyncio.Handle]) -> None:
        """Run what was held back."""
        self._ready.extend(handles)

    _stopping: bool

    def _run_once(self) -> None:
        ready, scheduled, random, shuffle = self._ready, self._scheduled, self._random, self._shuffle
        if not ready:
            self._jump()
        while scheduled and scheduled[0].when() <= self._now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # noqa: SLF001
            ready.append(timer)
        if not ready and not self._stopping:
            raise RuntimeError("Nothing is left that could ever happen, and something is still waited for.")
        left = STEPS_MAX
        while ready and not self._stopping:
            if not left:
                raise Stuck(f"{STEPS_MAX} steps were taken, and none of them waits for time to pass.")
            left -= 1
            draw = random()
            handle = ready.pop(int(draw / shuffle * len(ready)) if draw < shuffle else 0)
            if not handle.cancelled() and not (self.hold_back and self.hold_back(handle)):
                handle._run()  # noqa: SLF001


def virtual_time(backend: str) -> tuple[str, dict[str, Any]]:
    """For anyio's pytest fixture: ``anyio_backend`` returns this for ``asyncio`` or ``trio``."""
    if backend == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualTimeLoop}
