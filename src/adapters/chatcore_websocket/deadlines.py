"""The durations of a session, and the task that checks the deadlines of all sessions."""

import asyncio
import logging
from typing import Final, Protocol

from attrs import frozen

log: Final = logging.getLogger(__name__)


@frozen(kw_only=True)
class Timing:
    """Durations in seconds, on the monotonic clock.

    Attributes:
        ping_interval: from the start of a session, or from a PONG, to the next PING.
        ping_timeout: from a PING to its PONG. A client that sends more commands may also leave its answers unread for
            that long.
        connect_timeout: from a client's first request to its upgrade and its CONNECT, and from CONNECT to the answer.
        close_timeout: from the start of a close to the end of the TCP connection, whatever the client does.
    """

    ping_interval: float = 25
    ping_timeout: float = 20
    connect_timeout: float = 10
    close_timeout: float = 1

    @property
    def check_interval(self) -> float:
        """Seconds between two checks of the deadlines."""
        return min(1, self.ping_interval / 5, self.ping_timeout / 5, self.connect_timeout / 5)


class HasDeadlines(Protocol):
    """An object with deadlines that a `DeadlineTicker` checks."""

    def check_deadlines(self, now: float) -> None:
        """Act on the deadlines that have passed; ``now`` is the event loop's time in seconds."""
        ...


class DeadlineTicker:
    """Checks the deadlines of many objects from one task, which is cheaper than a timer for each.

    The task runs only while there are objects to check.

    Args:
        interval: seconds between two checks.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._checked: set[HasDeadlines] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, checked: HasDeadlines) -> None:
        """Check the deadlines of an object until `remove`. An object is added once, however often this is called."""
        self._checked.add(checked)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def remove(self, checked: HasDeadlines) -> None:
        """Stop checking the deadlines of an object."""
        self._checked.discard(checked)
        if not self._checked and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._interval)
            now = loop.time()
            for checked in tuple(self._checked):
                try:
                    checked.check_deadlines(now)
                except Exception:
                    log.exception("deadline check failed")
