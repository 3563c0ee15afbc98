"""The weather of one seed: how many take part, how fast things are, and which faults are about."""

from collections.abc import Mapping, Sequence
from random import Random

from attrs import evolve, frozen

from ...ids import UserId

USERS: Sequence[UserId] = ("alice", "bob", "c-d", "c", "d-e", "Zoë ~/{x}", "永")
STRANGER: UserId = "stranger"
NOBODY: UserId = "nobody"
"""A user who does not exist."""

HIGHEST: Mapping[str, float] = {
    "store: fails before": 0.08,
    "store: fails after": 0.08,
    "store: slow before": 0.06,
    "store: slow after": 0.06,
    "store: slow read": 0.3,
    "store: hangs": 0.03,
    "store: raises": 0.01,
    "store: lands late": 0.1,
    "hint: lost": 0.6,
    "hint: doubled": 0.2,
    "hint: late": 0.4,
    "bus: away": 0.1,
    "registry: fails before": 0.03,
    "registry: fails after": 0.03,
    "registry: slow before": 0.03,
    "registry: slow after": 0.03,
    "registry: hangs": 0.03,
    "registry: raises": 0.03,
    "registry: lands late": 0.03,
    "directory: fails": 0.1,
    "directory: slow": 0.1,
    "directory: hangs": 0.05,
    "directory: raises": 0.05,
    "canonical: raises": 0.05,
    "authenticator: fails": 0.6,
    "authenticator: slow": 0.3,
    "authenticator: raises": 0.3,
    "line: slow reader": 0.05,
    "line: raises": 0.006,
    "line: expires": 0.15,
    "caller: cancelled": 0.15,
    "node: crashes": 0.02,
    "node: stops": 0.01,
    "node: blocked": 0.03,
    "clock: jumps": 0.05,
    "socket: kicked": 0.04,
    "session: signed out": 0.03,
    "line: cut": 0.05,
    "line: half open": 0.03,
    "line: bye": 0.02,
    "store: away": 0.02,
    "store: away for one": 0.02,
    "store: another epoch": 0.005,
}
"""Each fault, and how likely it is at most at each of its occasions: a store's call, a hint, a turn of the director."""

FAULTS: Sequence[str] = tuple(HIGHEST)

SLOW_AND_DEAF: Mapping[str, float] = {"store: slow read": 0.3, "hint: lost": 0.9}
"""Reads that are old when they arrive, of rooms of which no hint tells: the rarest bugs were found by them."""
SLOW_AND_DEAF_SHARE = 0.2

PRESENT = 0.7
"""The share of faults that are about in one seed: some bugs need one that others would hide."""


@frozen(kw_only=True)
class Climate:
    """``gap_s`` is the mean pause between two turns of the director, who gives up to ``burst`` commands at a time.

    ``delay_s`` bounds what a message or a store's call takes, ``promptness`` is the share of those that take no time.
    """

    nodes: int
    users: Sequence[UserId]
    devices: int
    gap_s: float
    burst: int
    delay_s: float
    promptness: float
    shuffle: float
    rates: Mapping[str, float]

    @classmethod
    def drawn(cls, random: Random) -> "Climate":
        bad = random.choice((0.3, 1.0, 1.0))
        climate = cls(
            nodes=random.randint(1, 3),
            users=random.sample(USERS, random.randint(2, 4)),
            devices=random.randint(1, 3),
            gap_s=random.choice((0.05, 0.2, 0.5)),
            burst=random.choice((1, 4, 12)),
            delay_s=random.choice((0.005, 0.1, 0.5)),
            promptness=random.choice((0.2, 0.7, 0.95)),
            shuffle=random.choice((0.3, 1.0)),
            rates={
                fault: highest * bad * random.choice((0.3, 1))
                for fault, highest in HIGHEST.items()
                if random.random() < PRESENT
            },
        )
        if random.random() < SLOW_AND_DEAF_SHARE:
            return evolve(climate, rates={**climate.rates, **SLOW_AND_DEAF})
        return climate
