"""Lets sign-ins of a name wait while strangers guess its password, so that they cannot lock its user out."""

import random
from collections.abc import Callable

import anyio

from ..errors import RateLimited
from ..ports.rate_limiter import RateLimiter
from .priority_queue import PriorityQueue, Waiter

PLACES = 5
"""Attempts that may wait for one name."""
PLACES_IN_ALL = 256
WAIT_S = 10
"""Seconds after which a waiting attempt is refused."""
POLL_S = 0.05


class SlowLane:
    """Admits attempts at the rate of the limit ``sign_in_slow``, by name.

    Attempts that wait for a name are admitted in the order of recent attempts from their address, fewest first.
    """

    def __init__(self, limiter: RateLimiter, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._limiter = limiter
        self._uniform = uniform
        self._queues: dict[str, PriorityQueue] = {}

    async def turn(self, name: str, attempts: Callable[[], float]) -> None:
        """Wait until the attempt is admitted.

        Raises:
            RateLimited: too many attempts wait, or this one has waited for 10 s.
        """
        queue = self._queues.setdefault(name, PriorityQueue(PLACES))
        waiter = queue.enter(attempts) if sum(map(len, self._queues.values())) < PLACES_IN_ALL else None
        try:
            if waiter is None or not await self._is_admitted(name, queue, waiter):
                raise RateLimited(retry_after_ms=int(1000 * self._uniform(1, 2 * PLACES)))
        finally:
            if waiter is not None:
                queue.leave(waiter)
            if not queue and self._queues.get(name) is queue:  # a displaced waiter may leave after a new queue began
                del self._queues[name]

    async def _is_admitted(self, name: str, queue: PriorityQueue, waiter: Waiter) -> bool:
        """Wait until the attempt is admitted. Returns False if it was displaced, or has waited for too long."""
        with anyio.move_on_after(WAIT_S):
            while not waiter.left.is_set():
                wait_s = self._limiter.take("sign_in_slow", name) / 1000 if queue.is_first(waiter) else POLL_S
                if wait_s == 0:
                    return True
                await anyio.sleep(min(wait_s, POLL_S))
        return False
