"""Virtual time: the clock jumps to the next timer when no callback is ready, so a minute takes a millisecond."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

STEPS_MAX = 100_000
"""The most steps of a loop at one moment of virtual time. Work that ends takes fewer."""


class Stuck(RuntimeError):
    """A loop takes steps without end, and none of them waits for time to pass."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that sets its clock to the next timer when no callback is ready. It does not support threads.

    It reads asyncio's heap of timers, which has no public name.
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
        """Set the clock to the next timer."""
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False  # noqa: SLF001
            self._timer_cancelled_count -= 1
        if self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())


class ShuffledLoop(VirtualTimeLoop):
    """A virtual-time loop that runs ready callbacks in an order that ``random`` chooses. Some seed runs each race.

    It waits for timers only. It ignores sockets, signals and other threads, which makes it fast. The same random
    numbers give the same run.

    Args:
        shuffle: The probability that a step departs from first in, first out.

    Raises:
        Stuck: Work takes steps without end.
    """

    def __init__(self, random: Random, shuffle: float = 1.0) -> None:
        super().__init__()
        self._ready = []
        self._random = random.random
        self._shuffle = shuffle
        self.hold_back: Callable[[asyncio.Handle], bool] | None = None
        """Keeps a callback that must not run now. Returns False for one that may run."""

    def make_ready(self, handles: Iterable[asyncio.Handle]) -> None:
        """Run callbacks that were held back."""
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
            raise RuntimeError("Deadlock: no callback is ready and no timer is set, but the work is not done.")
        left = STEPS_MAX
        while ready and not self._stopping:
            if not left:
                raise Stuck(f"The loop took {STEPS_MAX} steps, and none of them waits for time to pass.")
            left -= 1
            draw = random()
            handle = ready.pop(int(draw / shuffle * len(ready)) if draw < shuffle else 0)
            if not handle.cancelled() and not (self.hold_back and self.hold_back(handle)):
                handle._run()  # noqa: SLF001


def virtual_time(backend: str) -> tuple[str, dict[str, Any]]:
    """Return what anyio's pytest fixture ``anyio_backend`` returns for virtual time on ``asyncio`` or ``trio``.

    Raises:
        ModuleNotFoundError: Virtual time on trio needs the extra `testing`.
    """
    if backend == "trio":
        try:
            from trio.testing import MockClock  # asyncio and the simulation need no trio
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError(
                "virtual time on trio needs trio; in a clone of chatcore: pip install '.[testing]'", name="trio"
            ) from missing
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualTimeLoop}
