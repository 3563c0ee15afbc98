"""A `RateLimiter` with moving windows, and the notation of rates."""

import math
import time
from collections.abc import Callable, Mapping

import limits
from attrs import Factory, field, frozen
from limits.strategies import MovingWindowRateLimiter

from chatcore.ports.rate_limiter import LimitName, Rate, RateLimiter

from .storage import MovingWindowStorage

KEYS_MAX = 20_000
AMOUNT_MAX = 1_000_000
TEXT_MAX = 100
PERIOD_S_MAX = 30 * 24 * 60 * 60


def parse_rate(text: str) -> Rate:
    """Parse a rate such as ``10/5 minutes``, in the notation of the library `limits`.

    Raises:
        ValueError: the text is no rate, or out of bounds. The message continues a sentence that begins with the
            setting's name, and does not quote the text.
    """
    try:
        (item,) = limits.parse_many(text) if text.isascii() and len(text) <= TEXT_MAX else []
    except ValueError:
        raise ValueError("must be a rate, such as 10/5 minutes or 1/second") from None
    if not (1 <= item.amount <= AMOUNT_MAX and 1 <= item.get_expiry() <= PERIOD_S_MAX):
        raise ValueError(f"must be a rate of 1 to {AMOUNT_MAX} in 1 second to 30 days")
    return Rate(item.amount, item.get_expiry())


class MemoryRateLimiter(RateLimiter):
    """Counts events in memory, on asyncio and trio.

    Args:
        rates: the rate of each limit; a limit without a rate admits everything.
        clock: returns monotonic seconds.
        keys_max: how many keys each limit remembers.
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
            limit: _Counter(
                limits.RateLimitItemPerSecond(rate.amount, rate.period_s), MovingWindowStorage(clock, keys_max)
            )
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
            counter.storage.withdraw(counter.item.key_for(key), min(cost, counter.item.amount))

    def clear(self, limit: LimitName, key: str) -> None:
        if counter := self._counters.get(limit):
            counter.strategy.clear(counter.item, key)


@frozen
class _Counter:
    """Counts the events of one limit."""

    item: limits.RateLimitItem
    storage: MovingWindowStorage
    strategy: MovingWindowRateLimiter = field(
        default=Factory(lambda counter: MovingWindowRateLimiter(counter.storage), takes_self=True), init=False
    )
