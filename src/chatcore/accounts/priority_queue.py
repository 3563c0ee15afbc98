"""A bounded queue of callers. Those with the fewest recent attempts are served first."""

import itertools
from collections.abc import Callable

import anyio
from attrs import define, field


@define(eq=False)
class Waiter:
    """A caller in a queue.

    Attributes:
        attempts: returns how many recent attempts the caller has made by now. It changes while the caller waits.
        number: the position in the order of arrival.
        left: is set when the caller is served or displaced.
        served: whether the caller was served.
    """

    attempts: Callable[[], float]
    number: int
    left: anyio.Event = field(factory=anyio.Event)
    served: bool = False


class PriorityQueue:
    """Callers in the order of their recent attempts, fewest first; callers with equal numbers in order of arrival.

    In a full queue a caller with fewer attempts displaces the one with the most.
    """

    def __init__(self, waiters_max: int) -> None:
        self._waiters_max = waiters_max
        self._waiters: list[Waiter] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._waiters)

    def enter(self, attempts: Callable[[], float]) -> Waiter | None:
        """Add a caller. Returns None if the queue is full of callers with as few attempts."""
        waiter = Waiter(attempts, next(self._numbers))
        if len(self._waiters) >= self._waiters_max:
            last = max(self._waiters, key=_rank)
            if last.attempts() <= attempts():
                return None
            self.leave(last)
        self._waiters.append(waiter)
        return waiter

    def is_first(self, waiter: Waiter) -> bool:
        return waiter is min(self._waiters, key=_rank)

    def serve_next(self) -> bool:
        """Serve the first caller. Returns False if the queue is empty."""
        if not self._waiters:
            return False
        first = min(self._waiters, key=_rank)
        first.served = True
        self.leave(first)
        return True

    def leave(self, waiter: Waiter) -> None:
        """Remove a caller, if it is in the queue."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        waiter.left.set()


def _rank(waiter: Waiter) -> tuple[float, int]:
    return waiter.attempts(), waiter.number
