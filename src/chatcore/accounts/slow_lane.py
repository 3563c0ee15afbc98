"""Lets sign-ins of a name wait while the name is being guessed, so that strangers can't lock its user out."""

import random
from collections.abc import Callable

import anyio

from ..errors import RateLimited
from ..ports.rate_limiter import RateLimiter
from .waiting_line import Waiter, WaitingLine

PLACES = 5
"""Attempts that wait for one name."""
PLACES_IN_ALL = 256
WAIT_S = 10
"""An attempt that waits longer is refused."""
POLL_S = 0.05


class SlowLane:
    """Lets attempts go on at the rate of the limit ``sign_in_slow``, by name.

    Of the attempts that wait for a name, those with the fewest recent attempts from their address go first.
    """

    def __init__(self, limiter: RateLimiter, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._limiter = limiter
        self._uniform = uniform
        self._lines: dict[str, WaitingLine] = {}

    async def turn(self, name: str, attempts: Callable[[], float]) -> None:
        """Wait for a turn. Raises `RateLimited` where too many wait, or after 10 s."""
        line = self._lines.setdefault(name, WaitingLine(PLACES))
        waiter = line.enter(attempts) if sum(map(len, self._lines.values())) < PLACES_IN_ALL else None
        try:
            if waiter is None or not await self._comes(name, line, waiter):
                raise RateLimited(retry_after_ms=int(1000 * self._uniform(1, 2 * PLACES)))
        finally:
            if waiter is not None:
                line.leave(waiter)
            if not line and self._lines.get(name) is line:  # a displaced waiter may leave after a new line began
                del self._lines[name]

    async def _comes(self, name: str, line: WaitingLine, waiter: Waiter) -> bool:
        """Wait until it is the waiter's turn; False where it was displaced, or waited for too long."""
        with anyio.move_on_after(WAIT_S):
            while not waiter.left.is_set():
                wait_s = self._limiter.take("sign_in_slow", name) / 1000 if line.is_first(waiter) else POLL_S
                if wait_s == 0:
                    return True
                await anyio.sleep(min(wait_s, POLL_S))
        return False
