"""A storage for the library `limits` that needs no threads, no locks and no wall clock."""

from collections import OrderedDict, deque
from collections.abc import Callable

from limits.storage import MovingWindowSupport, Storage


class MovingWindowStorage(Storage, MovingWindowSupport):
    """The times of events by key, for `limits.strategies.MovingWindowRateLimiter` only.

    The library's own memory storage starts a timer thread and reads the wall clock.

    Args:
        clock: returns monotonic seconds.
        keys_max: how many keys are remembered. Beyond it the key that was counted longest ago is dropped.
    """

    STORAGE_SCHEME: list[str] | None = None  # no URI creates this storage

    def __init__(self, clock: Callable[[], float], keys_max: int) -> None:
        super().__init__()
        self._clock = clock
        self._keys_max = keys_max
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` events now. Returns False if the window would have more than ``limit`` then."""
        now = self._clock()
        times = self._within(key, now - expiry)
        if len(times) + amount > limit:
            return False
        times.extend([now] * amount)
        self._times[key] = times
        self._times.move_to_end(key)
        if len(self._times) > self._keys_max:
            self._times.popitem(last=False)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the window's first event, or now without events, and the number of events."""
        now = self._clock()
        times = self._within(key, now - expiry)
        return (times[0] if times else now), len(times)

    def withdraw(self, key: str, amount: int) -> None:
        """Remove the latest ``amount`` events."""
        times = self._times.get(key, deque())
        for _ in range(min(amount, len(times))):
            times.pop()

    def clear(self, key: str) -> None:
        self._times.pop(key, None)

    def _within(self, key: str, start: float) -> deque[float]:
        """Return the key's times after ``start``, and forget the earlier ones."""
        times = self._times.get(key, deque())
        while times and times[0] <= start:
            times.popleft()
        return times

    # The base class demands these methods. The strategy of moving windows does not call them.

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        forgotten = len(self._times)
        self._times.clear()
        return forgotten

    def get(self, key: str) -> int:
        return len(self._times.get(key, ()))

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError("only moving windows are supported")

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("only moving windows are supported")
