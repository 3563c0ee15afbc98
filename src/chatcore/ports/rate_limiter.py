"""The port that limits the rate of events, such as sign-ins from an address."""

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from attrs import frozen

LimitName: TypeAlias = Literal[
    "sign_in",  # failed sign-ins of a name from an address; also sign-ups, under keys of their own
    "sign_in_address",  # failed sign-ins from an address
    "sign_in_name",  # failed sign-ins of a name from all addresses
    "sign_in_slow",  # attempts above `sign_in_name` that are still checked
    "sign_up",  # sign-ups from an address
    "connect",  # connections that an address opens
    "create",  # rooms that a user creates
    "invite",  # invitations by a user, and members that a user names for a new room
]

_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@frozen
class Rate:
    """At most ``amount`` events in any ``period_s`` seconds; both are at least 1."""

    amount: int
    period_s: int

    def __str__(self) -> str:
        """Return the notation of settings, such as ``10/5 minutes`` or ``1/hour``."""
        unit, seconds = next((unit, seconds) for unit, seconds in _UNITS.items() if self.period_s % seconds == 0)
        count = self.period_s // seconds
        return f"{self.amount}/{unit}" if count == 1 else f"{self.amount}/{count} {unit}s"


class RateLimiter(ABC):
    """Counts events by limit and key. Keys of different limits are independent.

    Every node has its own counts. No method waits. Time is monotonic. Memory is bounded: beyond a maximum of keys the
    least recently counted key of a limit is dropped.
    """

    @abstractmethod
    def take(self, limit: LimitName, key: str, cost: int = 1) -> int:
        """Count ``cost`` events if the limit admits them.

        A ``cost`` above the limit's amount counts as that amount. A limit without a rate admits everything.

        Returns:
            0 if the events are counted. Otherwise none is counted, and the result is the number of milliseconds until
            the limit admits another event.
        """

    @abstractmethod
    def give_back(self, limit: LimitName, key: str, cost: int = 1) -> None:
        """Uncount the latest ``cost`` events, or all if there are fewer."""

    @abstractmethod
    def clear(self, limit: LimitName, key: str) -> None:
        """Uncount all events of a key."""


class Unlimited(RateLimiter):
    """Admits everything."""

    def take(self, limit: LimitName, key: str, cost: int = 1) -> int:
        return 0

    def give_back(self, limit: LimitName, key: str, cost: int = 1) -> None:
        pass

    def clear(self, limit: LimitName, key: str) -> None:
        pass
