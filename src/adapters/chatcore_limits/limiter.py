"""A `RateLimiter` of moving windows, and the notation of rates."""

import math
import time
from collections.abc import Callable, Mapping

import limits
from attrs import Factory, field, frozen
from limits.strategies import MovingWindowRateLimiter

from chatcore.ports.rate_limiter import LimitName, Rate, RateLimiter

from .windows import MovingWindows

KEYS_MAX = 20_000
AMOUNT_MAX = 1_000_000
PERIOD_S_MAX = 30 * 24 * 60 * 60


def parse_rate(given: str) -> Rate:
    """Read a rate such as ``10/5 minutes``, in the notation of limits.

    Raises ValueError; its text goes on after the setting's name, and does not show what was given.
    """
    try:
        (item,) = limits.parse_many(given) if given.isascii() and len(given) <= 100 else []
    except ValueError:
        raise ValueError("must be a rate, such as 10/5 minutes or 1/second") from None
    if not (1 <= item.amount <= AMOUNT_MAX and 1 <= item.get_expiry() <= PERIOD_S_MAX):
        raise ValueError(f"must be a rate of 1 to {AMOUNT_MAX} in 1 second to 30 days")
    return Rate(item.amount, item.get_expiry())


class MemoryRateLimiter(RateLimiter):
    """Counts in memory, on asyncio and trio.

    Args:
        rates: the rate of each limit; a limit without one admits everything.
        clock: monotonic seconds.
        keys_max: number of keys that each limit remembers.
    """

    def __init__(
        self,
        rates: Mapping[LimitName, Rate],
        *,
        clock: Callable[[], float] = time.monotonic,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self._clock = clock
        self._counters = {
            limit: _Counter(limits.RateLimitItemPerSecond(rate.amount, rate.period_s), MovingWindows(clock, keys_max))
            for limit, rate in rates.items()
        }

    def take(self, limit: LimitName, key: str, cost: int = 1) -> int:
        if (counter := self._counters.get(limit)) is None:
            return 0
        item, strategy = counter.item, counter.strategy
        if strategy.hit(item, key, cost=min(cost, item.amount)):
            return 0
        free_at = strategy.get_window_stats(item, key).reset_time
        return max(1, math.ceil(1000 * (free_at - self._clock())))

    def give_back(self, limit: LimitName, key: str, cost: int = 1) -> None:
        if counter := self._counters.get(limit):
            counter.windows.withdraw(counter.item.key_for(key), min(cost, counter.item.amount))

    def clear(self, limit: LimitName, key: str) -> None:
        if counter := self._counters.get(limit):
            counter.strategy.clear(counter.item, key)


@frozen
class _Counter:
    """What counts the events of one limit."""

    item: limits.RateLimitItem
    windows: MovingWindows
    strategy: MovingWindowRateLimiter = field(
        default=Factory(lambda counter: MovingWindowRateLimiter(counter.windows), takes_self=True), init=False
    )
