"""Token buckets: a rate that allows bursts, for events so frequent that counting their times costs too much."""

ROUNDING_S = 1e-4


class TokenBuckets:
    """A bucket for each key. It holds ``amount`` tokens, and an empty one is full again after ``period_s``.

    A bucket is kept as the time at which it will be full (GCRA, ITU-T I.371). Memory is bounded: of more than
    ``keys_max`` buckets the one used longest ago is forgotten, which fills it.
    """

    __slots__ = ("_each_s", "_full_at", "_keys_max", "_period_s")

    def __init__(self, amount: int, period_s: float, *, keys_max: int = 20_000) -> None:
        self._each_s = period_s / amount
        self._period_s = period_s
        self._keys_max = keys_max
        self._full_at: dict[str, float] = {}

    def take(self, key: str, now: float) -> float:
        """Take a token; ``now`` is in monotonic seconds. Returns 0, or the seconds until there is a token."""
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
        """Put a token back that was taken."""
        if key in self._full_at:
            self._full_at[key] -= self._each_s
