"""Token buckets: rates that allow bursts, for frequent events. A bucket keeps one number instead of event times."""

ROUNDING_S = 1e-4
"""A wait up to this many seconds is an error of rounding, and counts as none."""


class TokenBuckets:
    """A bucket of tokens for each key.

    A bucket is kept as the time at which it will be full (GCRA, ITU-T I.371).

    Args:
        amount: tokens of a full bucket.
        period_s: seconds in which an empty bucket fills.
        keys_max: most buckets that are kept. Beyond it the least recently used bucket is dropped: it counts as full.
    """

    __slots__ = ("_each_s", "_full_at", "_keys_max", "_period_s")

    def __init__(self, amount: int, period_s: float, *, keys_max: int = 20_000) -> None:
        self._each_s = period_s / amount
        self._period_s = period_s
        self._keys_max = keys_max
        self._full_at: dict[str, float] = {}

    def take(self, key: str, now: float) -> float:
        """Take a token at ``now``, in monotonic seconds. Returns 0, or the seconds until the next token."""
        full_at = max(self._full_at.pop(key, now), now) + self._each_s
        wait = full_at - now - self._period_s
        if wait > ROUNDING_S:
            self._full_at[key] = full_at - self._each_s
            return wait
        self._full_at[key] = full_at
        if len(self._full_at) > self._keys_max:
            del self._full_at[next(iter(self._full_at))]
        return 0

    def give_back(self, key: str) -> None:
        """Put back a token that was taken. A bucket that was dropped stays as it is."""
        if key in self._full_at:
            self._full_at[key] -= self._each_s
