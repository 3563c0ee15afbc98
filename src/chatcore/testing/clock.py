"""Time that passes only when nothing else can happen: a minute takes a millisecond, on asyncio and on trio."""

import asyncio
import heapq
from typing import Any

from trio.testing import MockClock


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
            while self._scheduled and self._scheduled[0].cancelled():
                heapq.heappop(self._scheduled)._scheduled = False  # noqa: SLF001
                self._timer_cancelled_count -= 1
            if self._scheduled:
                self._now = max(self._now, self._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def virtual_time(backend: str) -> tuple[str, dict[str, Any]]:
    """For anyio's pytest fixture: ``anyio_backend`` returns this for ``asyncio`` or ``trio``."""
    if backend == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualTimeLoop}
