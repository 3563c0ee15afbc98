"""The weather of one seed: how many take part, how fast things are, and which faults are about."""

from collections.abc import Mapping, Sequence
from random import Random

from attrs import frozen

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
    "store: hangs": 0.03,
    "store: lands late": 0.1,
    "hint: lost": 0.6,
    "hint: doubled": 0.2,
    "hint: late": 0.4,
    "bus: away": 0.1,
    "directory: fails": 0.1,
    "directory: slow": 0.1,
    "authenticator: fails": 0.6,
    "line: slow reader": 0.05,
    "line: expires": 0.15,
    "caller: cancelled": 0.15,
    "node: crashes": 0.02,
    "node: stops": 0.01,
    "line: cut": 0.05,
    "line: half open": 0.03,
    "line: bye": 0.02,
    "store: away": 0.02,
    "store: away for one": 0.02,
    "store: another epoch": 0.005,
}
"""Each fault, and how likely it is at most at each of its occasions: a store's call, a hint, a turn of the director."""

FAULTS: Sequence[str] = tuple(HIGHEST)

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
        return cls(
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
