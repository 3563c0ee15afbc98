"""A bounded queue for password hashes, which take long: who hashes next, and when a refused caller may come back."""

import math
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ..errors import RateLimited
from .waiting_line import WaitingLine

KNOWN_PLACES, OTHER_PLACES = 8, 24
FIRST_GUESS_S = 0.1
"""What a hash takes, until one has been measured."""
SMOOTHING = 8
RETRY_S_MAX = 60
JITTER = 0.25

BUSY = "Too many sign in at the moment; wait and try again."


class HashQueue:
    """At most ``at_once`` callers have their turn at a time.

    Two lines wait, and take turns where both do: callers that signed in before from the same address, and all others.
    So neither can keep the other from hashing. Within a line those with the fewest recent attempts come first.

    Args:
        at_once: how many hashes may run at the same time.
        monotonic: seconds.
        uniform: gives a random number between two.
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
        self._known, self._others = WaitingLine(KNOWN_PLACES), WaitingLine(OTHER_PLACES)
        self._next, self._after_next = self._known, self._others
        self._hash_s = FIRST_GUESS_S
        self._booked_until = -math.inf

    @asynccontextmanager
    async def turn(self, *, known: bool, attempts: Callable[[], float]) -> AsyncGenerator[None]:
        """Wait for a turn, which lasts as long as the block.

        Raises `RateLimited` where too many wait, or where callers with fewer attempts take this one's place.
        """
        await self._begin(self._known if known else self._others, attempts)
        started = self._monotonic()
        try:
            yield
        finally:
            self._hash_s += (self._monotonic() - started - self._hash_s) / SMOOTHING
            self._end()

    async def _begin(self, line: WaitingLine, attempts: Callable[[], float]) -> None:
        if self._running < self._at_once:
            self._running += 1
            return
        waiter = line.enter(attempts)
        if waiter is None:
            raise self._refusal()
        try:
            await waiter.left.wait()
        except BaseException:  # cancelled
            line.leave(waiter)
            if waiter.served:
                self._end()
            raise
        if not waiter.served:
            raise self._refusal()

    def _end(self) -> None:
        """Hand the turn on."""
        self._next, self._after_next = self._after_next, self._next
        if not self._next.serve() and not self._after_next.serve():
            self._running -= 1

    def _refusal(self) -> RateLimited:
        """Give each refused caller a later time to come back, one hash apart, so that their hashes do not overlap."""
        now = self._monotonic()
        step = max(self._hash_s, 0.001) / self._at_once
        waiting = len(self._known) + len(self._others)
        self._booked_until = min(max(self._booked_until, now + waiting * step) + step, now + RETRY_S_MAX)
        wait = (self._booked_until - now) * self._uniform(1, 1 + JITTER)
        return RateLimited(BUSY, retry_after_ms=math.ceil(1000 * wait))
