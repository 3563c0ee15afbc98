"""The profile of a run, drawn from its seed: its users and nodes, its delays, and the faults that occur in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from attrs import evolve, frozen

from ...ids import UserId

USERS: Sequence[UserId] = ("alice", "bob", "c-d", "c", "d-e", "Zoë ~/{x}", "永")
STRANGER: UserId = "stranger"
"""A user that no other user names in a command. So most commands of this user are refused."""
UNKNOWN_USER: UserId = "nobody"
"""A user who is not in the user directory."""

RATES_MAX: Mapping[str, float] = {
    "store: fails before": 0.08,
    "store: fails after": 0.08,
    "store: slow before": 0.06,
    "store: slow after": 0.06,
    "store: slow read": 0.3,
    "store: hangs": 0.03,
    "store: raises": 0.01,
    "store: applied late": 0.1,
    "hint: lost": 0.6,
    "hint: duplicated": 0.2,
    "hint: late": 0.4,
    "bus: unavailable": 0.1,
    "registry: fails before": 0.03,
    "registry: fails after": 0.03,
    "registry: slow before": 0.03,
    "registry: slow after": 0.03,
    "registry: hangs": 0.03,
    "registry: raises": 0.03,
    "registry: applied late": 0.03,
    "directory: fails": 0.1,
    "directory: slow": 0.1,
    "directory: hangs": 0.05,
    "directory: raises": 0.05,
    "canonical: raises": 0.05,
    "authenticator: fails": 0.6,
    "authenticator: slow": 0.3,
    "authenticator: raises": 0.3,
    "connection: slow reader": 0.05,
    "connection: raises": 0.006,
    "connection: access expires": 0.15,
    "caller: cancelled": 0.15,
    "node: crashes": 0.02,
    "node: stops": 0.01,
    "node: blocked": 0.03,
    "clock: jumps": 0.05,
    "socket: kicked": 0.04,
    "session: signed out": 0.03,
    "connection: cut": 0.05,
    "connection: half open": 0.03,
    "connection: closed as slow": 0.02,
    "store: unavailable": 0.02,
    "store: unavailable to one node": 0.02,
    "store: new epoch": 0.005,
}
"""The highest probability of each fault at each of its occasions: a call of the store, a hint, a step of the driver."""

FAULTS: Sequence[str] = tuple(RATES_MAX)

SLOW_READS_LOST_HINTS: Mapping[str, float] = {"store: slow read": 0.3, "hint: lost": 0.9}
"""Rates of stale reads and of lost hints in the same run. They found the rarest bugs."""
SLOW_READS_LOST_HINTS_SHARE = 0.2

ENABLED_SHARE = 0.7
"""The share of the faults that occur under one seed. Some bugs need a fault that another fault would hide."""


@frozen(kw_only=True)
class WorldProfile:
    """The parameters of a run.

    Attributes:
        devices: Devices of each user.
        pause_s: The mean pause between two steps of the driver.
        burst_max: The most commands that the driver gives in one step.
        delay_max_s: The longest that a message or a call of the store takes without a fault.
        instant_share: The share of messages and calls that take no time.
        shuffle: The probability that the event loop departs from first in, first out.
        rates: The probability of each fault at each of its occasions.
    """

    nodes: int
    users: Sequence[UserId]
    devices: int
    pause_s: float
    burst_max: int
    delay_max_s: float
    instant_share: float
    shuffle: float
    rates: Mapping[str, float]

    @classmethod
    def drawn(cls, random: Random) -> "WorldProfile":
        severity = random.choice((0.3, 1.0, 1.0))
        profile = cls(
            nodes=random.randint(1, 3),
            users=random.sample(USERS, random.randint(2, 4)),
            devices=random.randint(1, 3),
            pause_s=random.choice((0.05, 0.2, 0.5)),
            burst_max=random.choice((1, 4, 12)),
            delay_max_s=random.choice((0.005, 0.1, 0.5)),
            instant_share=random.choice((0.2, 0.7, 0.95)),
            shuffle=random.choice((0.3, 1.0)),
            rates={
                fault: rate_max * severity * random.choice((0.3, 1))
                for fault, rate_max in RATES_MAX.items()
                if random.random() < ENABLED_SHARE
            },
        )
        if random.random() < SLOW_READS_LOST_HINTS_SHARE:
            return evolve(profile, rates={**profile.rates, **SLOW_READS_LOST_HINTS})
        return profile


class InjectedError(Exception):
    """An error that a port or a callback of the host raises against its contract."""


class InjectedValueError(InjectedError, ValueError):
    """A ValueError that the contract does not allow."""


class InjectedRuntimeError(InjectedError, RuntimeError):
    """A RuntimeError that the contract does not allow."""


class FaultInjector:
    """Draws whether a fault occurs, and counts those that occur.

    Args:
        rates: The probability of each fault at each of its occasions.
        counts: Where each fault is counted under its name.
    """

    def __init__(self, random: Random, rates: Mapping[str, float], counts: Counter[str]) -> None:
        self.stopped = False
        """Set at the end of a run: no fault occurs any more."""
        self._random = random
        self._rates = rates
        self._counts = counts
        self._totals: dict[tuple[str, ...], float] = {}

    def occurs(self, fault: str) -> bool:
        return self.draw((fault,)) is not None

    def draw(self, faults: tuple[str, ...]) -> str | None:
        """Return the fault of ``faults`` that occurs on this occasion, if any."""
        if self.stopped:
            return None
        total = self._totals.get(faults)
        if total is None:
            total = self._totals[faults] = sum(self._rates.get(fault, 0) for fault in faults)
        draw = self._random.random()
        if draw >= total:
            return None
        drawn = faults[-1]
        for fault in faults:
            draw -= self._rates.get(fault, 0)
            if draw < 0:
                drawn = fault
                break
        self._counts[drawn] += 1
        return drawn
