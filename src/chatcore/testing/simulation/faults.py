"""What goes wrong, and how often. Each fault has a name, by which a campaign counts it."""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import TypeAlias

Rates: TypeAlias = Mapping[str, float]


class Injected(Exception):
    """What a port or a callback of the host raises against its contract."""


class InjectedValueError(Injected, ValueError):
    """A ValueError that the contract does not allow."""


class InjectedRuntimeError(Injected, RuntimeError):
    """A RuntimeError that the contract does not allow."""


class Faults:
    """Says when a fault happens, until the faults `end`. ``rates`` has the chance of each at each of its occasions."""

    def __init__(self, random: Random, rates: Rates, counts: Counter[str]) -> None:
        self.over = False
        self._random = random
        self._rates = rates
        self._counts = counts
        self._totals: dict[tuple[str, ...], float] = {}

    def happens(self, fault: str) -> bool:
        return self.one_of((fault,)) is not None

    def one_of(self, faults: tuple[str, ...]) -> str | None:
        """The one of ``faults`` that happens on this occasion, if any."""
        if self.over:
            return None
        total = self._totals.get(faults)
        if total is None:
            total = self._totals[faults] = sum(self._rates.get(fault, 0) for fault in faults)
        draw = self._random.random()
        if draw >= total:
            return None
        chosen = faults[-1]
        for fault in faults:
            draw -= self._rates.get(fault, 0)
            if draw < 0:
                chosen = fault
                break
        self._counts[chosen] += 1
        return chosen
