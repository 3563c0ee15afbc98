"""When sockets end because what they were opened with has run out, and the warning before."""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta

import anyio

WARNING = timedelta(seconds=60)
LOOK_S = 1


class Deadlines:
    """Points in wall-clock time at which sockets expire; looked at once a second."""

    def __init__(
        self, now: Callable[[], datetime], warn: Callable[[str, datetime], None], expire: Callable[[str], None]
    ) -> None:
        self._now = now
        self._warn = warn
        self._expire = expire
        self._ends: dict[str, datetime] = {}
        self._due: list[tuple[datetime, str, datetime]] = []

    def set(self, socket: str, at: datetime) -> None:
        """The socket expires at ``at``, and not when it was said before; `WARNING` earlier, or now, it is warned."""
        self._ends[socket] = at
        if at - WARNING <= self._now():
            self._warn(socket, at)
        else:
            heapq.heappush(self._due, (at - WARNING, socket, at))
        heapq.heappush(self._due, (at, socket, at))

    def forget(self, socket: str) -> None:
        self._ends.pop(socket, None)

    async def watch(self) -> None:
        """Warn and expire; then wait for a second."""
        while self._due and self._due[0][0] <= self._now():
            moment, socket, end = heapq.heappop(self._due)
            if self._ends.get(socket) == end:
                self._meet(socket, moment, end)
        await anyio.sleep(LOOK_S)

    def _meet(self, socket: str, moment: datetime, end: datetime) -> None:
        if moment == end:
            self._expire(socket)
        else:
            self._warn(socket, end)
