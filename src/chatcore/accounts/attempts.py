"""Recent attempts to sign in, as one node remembers them, in bounded memory."""

import math
from collections.abc import Callable

HALF_LIFE_S = 30
ATTEMPTS_KEYS_MAX = 20_000
SUCCESS_S = 30 * 24 * 60 * 60
SUCCESSES_MAX = 50_000


class RecentAttempts:
    """Counts attempts by key. An attempt counts half after 30 s, a quarter after 60 s.

    Args:
        monotonic: returns monotonic seconds.
        keys_max: how many keys are remembered. Beyond it the key that was counted longest ago is dropped.
    """

    def __init__(self, monotonic: Callable[[], float], keys_max: int = ATTEMPTS_KEYS_MAX) -> None:
        self._monotonic = monotonic
        self._keys_max = keys_max
        self._counts: dict[str, tuple[float, float]] = {}
        """The count of each key, and the time of that count."""

    def add(self, key: str) -> None:
        """Count one more attempt."""
        count = self.of(key) + 1
        self._counts.pop(key, None)  # moves the key to the end
        self._counts[key] = (count, self._monotonic())
        if len(self._counts) > self._keys_max:
            del self._counts[next(iter(self._counts))]

    def of(self, key: str) -> float:
        """Return the present count of a key."""
        now = self._monotonic()
        count, counted_at = self._counts.get(key, (0.0, now))
        return count * math.exp2((counted_at - now) / HALF_LIFE_S)


class RecentSuccesses:
    """The keys that succeeded in the last 30 days.

    Args:
        monotonic: returns monotonic seconds.
        keys_max: how many keys are remembered. Beyond it the key that succeeded longest ago is dropped.
    """

    def __init__(self, monotonic: Callable[[], float], keys_max: int = SUCCESSES_MAX) -> None:
        self._monotonic = monotonic
        self._keys_max = keys_max
        self._times: dict[str, float] = {}

    def __contains__(self, key: str) -> bool:
        succeeded_at = self._times.get(key)
        return succeeded_at is not None and self._monotonic() - succeeded_at < SUCCESS_S

    def add(self, key: str) -> None:
        self._times.pop(key, None)  # moves the key to the end
        self._times[key] = self._monotonic()
        if len(self._times) > self._keys_max:
            del self._times[next(iter(self._times))]
