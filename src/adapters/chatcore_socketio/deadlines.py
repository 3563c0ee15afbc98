"""One task that looks at all deadlines, instead of a timer for each."""

import asyncio
import logging
from typing import Protocol

from attrs import frozen

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Timing:
    """Durations in seconds, on the monotonic clock.

    Attributes:
        ping_interval: from one PONG, or from the beginning, to the next PING.
        ping_timeout: how long a PONG may take; and how long a socket may leave its answers unread while it sends more.
        connect_within: a client upgrades to websocket, and sends CONNECT, within this time of its first request; and
            CONNECT is answered within it.
        close_within: how long an end may take, whatever the client does.
    """

    ping_interval: float = 25
    ping_timeout: float = 20
    connect_within: float = 10
    close_within: float = 1

    @property
    def tick(self) -> float:
        """How often deadlines are looked at."""
        return min(1, self.ping_interval / 5, self.ping_timeout / 5, self.connect_within / 5)


class Watched(Protocol):
    def tick(self, now: float) -> None:
        """Look at the deadlines; ``now`` is the loop's monotonic time."""
        ...


class DeadlineTicker:
    """Calls `tick` on all that is watched every ``every`` seconds, as long as there is anything."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._watched: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None

    def watch(self, one: Watched) -> None:
        self._watched.add(one)
        if self._task is None:
            self._task = asyncio.create_task(self._go_round())

    def forget(self, one: Watched) -> None:
        self._watched.discard(one)
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _go_round(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._every)
            now = loop.time()
            for one in tuple(self._watched):
                try:
                    one.tick(now)
                except Exception:
                    log.exception("a deadline could not be looked at")
