"""A bound on repeated log lines: one line for each key and interval."""

import time
from collections.abc import Callable, Hashable


class LogThrottle:
    """Decides whether a log line about a key, such as an address or a user name, is due.

    Args:
        interval_s: seconds between two lines about one key.
        keys_max: most keys that are remembered. Beyond it the key that was admitted longest ago is dropped.
        clock: returns monotonic seconds.
    """

    def __init__(
        self, interval_s: float = 60, *, keys_max: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval_s
        self._keys_max = keys_max
        self._clock = clock
        self._admitted: dict[Hashable, float] = {}  # in the order of admission

    def admits(self, key: Hashable) -> bool:
        """Return True for the first call about ``key`` in an interval, and False for the others."""
        now = self._clock()
        last = self._admitted.get(key)
        if last is not None and now - last < self._interval:
            return False
        self._admitted.pop(key, None)
        self._admitted[key] = now
        if len(self._admitted) > self._keys_max:
            del self._admitted[next(iter(self._admitted))]
        return True
