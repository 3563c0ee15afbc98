"""When sockets end by themselves because what they were opened with has run out."""

import heapq
from collections.abc import Callable
from datetime import datetime

import anyio


class Deadlines:
    """Points in wall-clock time, each with something to do; the finest step is a second."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._due: list[tuple[datetime, str]] = []

    def set(self, socket: str, at: datetime) -> None:
        heapq.heappush(self._due, (at, socket))

    async def watch(self, expire: Callable[[str], None]) -> None:
        """Call ``expire`` with each socket whose time has come; runs until cancelled."""
        while True:
            await anyio.sleep(1)
            while self._due and self._due[0][0] <= self._now():
                expire(heapq.heappop(self._due)[1])
