"""One task that looks at all deadlines, instead of a timer for each."""

import asyncio
import logging
from typing import Protocol

log = logging.getLogger(__name__)


class Watched(Protocol):
    def tick(self, now: float) -> None:
        """Look at the deadlines; ``now`` is the loop's monotonic time."""
        ...


class Janitor:
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
