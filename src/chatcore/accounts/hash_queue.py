"""A bounded queue for password hashes: which caller hashes next, and when a refused caller may come back."""

import math
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ..errors import RateLimited
from .priority_queue import PriorityQueue

KNOWN_PLACES, OTHER_PLACES = 8, 24
FIRST_GUESS_S = 0.1
"""Assumed seconds of a hash, until hashes have been measured."""
SMOOTHING = 8
"""The estimate moves towards each measured duration by one part in this number."""
RETRY_S_MAX = 60
JITTER = 0.25

BUSY = "Too many users sign in at the moment; wait and try again."


class HashQueue:
    """Gives at most ``at_once`` callers a turn at the same time.

    Callers wait in two queues, which are served alternately, so neither can block the other: callers that signed in
    from the same address before, and all others. Within a queue those with the fewest recent attempts come first.

    Args:
        at_once: how many hashes may run at the same time.
        monotonic: returns monotonic seconds.
        uniform: returns a random number between its two arguments.
    """

    def __init__(
        self,
        at_once: int,
        *,
        monotonic: Callable[[], float],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._at_once = at_once
        self._monotonic = monotonic
        self._uniform = uniform
        self._running = 0
        self._known, self._others = PriorityQueue(KNOWN_PLACES), PriorityQueue(OTHER_PLACES)
        self._next, self._after_next = self._known, self._others
        self._hash_s = FIRST_GUESS_S
        self._booked_until = -math.inf

    @asynccontextmanager
    async def turn(self, *, known: bool, attempts: Callable[[], float]) -> AsyncGenerator[None]:
        """Wait for a turn, which lasts as long as the block.

        Args:
            known: whether the caller signed in from the same address before.
            attempts: returns how many recent attempts the caller has made by now.

        Raises:
            RateLimited: the queue is full, or callers with fewer attempts took this caller's place.
        """
        await self._begin(self._known if known else self._others, attempts)
        started = self._monotonic()
        try:
            yield
        finally:
            self._hash_s += (self._monotonic() - started - self._hash_s) / SMOOTHING
            self._end()

    async def _begin(self, queue: PriorityQueue, attempts: Callable[[], float]) -> None:
        if self._running < self._at_once:
            self._running += 1
            return
        waiter = queue.enter(attempts)
        if waiter is None:
            raise self._refusal()
        try:
            await waiter.left.wait()
        except BaseException:  # cancelled
            queue.leave(waiter)
            if waiter.served:
                self._end()
            raise
        if not waiter.served:
            raise self._refusal()

    def _end(self) -> None:
        """Hand the turn to the next caller."""
        self._next, self._after_next = self._after_next, self._next
        if not self._next.serve_next() and not self._after_next.serve_next():
            self._running -= 1

    def _refusal(self) -> RateLimited:
        """Return the error for a caller without a place.

        Each refused caller gets a later time to come back, the duration of a hash apart, so their hashes do not
        overlap.
        """
        now = self._monotonic()
        step = max(self._hash_s, 0.001) / self._at_once
        waiting = len(self._known) + len(self._others)
        self._booked_until = min(max(self._booked_until, now + waiting * step) + step, now + RETRY_S_MAX)
        wait_s = (self._booked_until - now) * self._uniform(1, 1 + JITTER)
        return RateLimited(BUSY, retry_after_ms=math.ceil(1000 * wait_s))
