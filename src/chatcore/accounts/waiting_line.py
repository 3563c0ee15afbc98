"""A bounded line of callers. Those with the fewest recent attempts are served first."""

import itertools
from collections.abc import Callable

import anyio
from attrs import define, field


@define(eq=False)
class Waiter:
    """A caller in a line; ``left`` is set once it is served or displaced."""

    attempts: Callable[[], float]
    """How many recent attempts the caller has made by now, also while it waits."""
    number: int
    left: anyio.Event = field(factory=anyio.Event)
    served: bool = False


class WaitingLine:
    """Among equal numbers of attempts the first to come is the first to be served.

    Where the line is full, a caller with fewer attempts displaces the one with the most.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiters: list[Waiter] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._waiters)

    def enter(self, attempts: Callable[[], float]) -> Waiter | None:
        """Wait in the line. Returns None where it is full of callers with as few attempts."""
        waiter = Waiter(attempts, next(self._numbers))
        if len(self._waiters) >= self._places:
            last = max(self._waiters, key=_rank)
            if last.attempts() <= attempts():
                return None
            self.leave(last)
        self._waiters.append(waiter)
        return waiter

    def is_first(self, waiter: Waiter) -> bool:
        return waiter is min(self._waiters, key=_rank)

    def serve(self) -> bool:
        """Let the first caller go on. Returns False where the line is empty."""
        if not self._waiters:
            return False
        first = min(self._waiters, key=_rank)
        first.served = True
        self.leave(first)
        return True

    def leave(self, waiter: Waiter) -> None:
        """Take a caller out of the line, if it is there."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        waiter.left.set()


def _rank(waiter: Waiter) -> tuple[float, int]:
    return waiter.attempts(), waiter.number
