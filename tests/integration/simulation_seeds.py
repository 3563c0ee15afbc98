"""The seeds of the simulation's campaign: fixed seeds, and fresh seeds that depend on the commit.

Settings:
    CHATCORE_TEST_SEED: Runs this seed only.
    CHATCORE_TEST_STRESS: Runs that seed under this stress of `STRESSES`.
    CHATCORE_TEST_SEEDS_FROM: The text from which the fresh seeds are drawn, instead of the commit's id.
    CHATCORE_TEST_SIMULATION_HOURS: Runs only fresh seeds, for this number of hours.
    CHATCORE_TEST_SIMULATION_LARGE: Gives every stress its large scale.
"""

import os
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

from attrs import frozen

from chatcore.testing.simulation import STRESSES
from tests.seeds import commit_id

SEED = int(os.environ["CHATCORE_TEST_SEED"]) if "CHATCORE_TEST_SEED" in os.environ else None
STRESS = os.environ.get("CHATCORE_TEST_STRESS")
LARGE = "CHATCORE_TEST_SIMULATION_LARGE" in os.environ
FIXED = 60
FRESH = 100
FIXED_STRESSED, FRESH_STRESSED = 2, 4
"""The number of seeds for each stress."""
STRESSED = 0.1
"""The share of worlds under stress in a campaign of several hours."""
HOURS = float(os.environ.get("CHATCORE_TEST_SIMULATION_HOURS", "0"))
CHUNKS: Sequence[int] = range(1 if SEED is not None else 4 if HOURS else 2)
"""The parts of the campaign, which run on several workers."""


def seeds_from(source: str, part: object) -> Iterator[int]:
    """Yield the fresh seeds of a part of the campaign, without end. The same source gives the same seeds."""
    random = Random(f"{source} {part}")
    while True:
        yield random.randrange(1_000, 1_000_000)


def source() -> str:
    return os.environ.get("CHATCORE_TEST_SEEDS_FROM") or commit_id()


@frozen
class Choice:
    """A world that a campaign runs."""

    seed: int
    stress: str | None = None

    @property
    def replay(self) -> str:
        """The command that runs this world again."""
        settings = {"CHATCORE_TEST_SEED": self.seed, "CHATCORE_TEST_STRESS": self.stress}
        if LARGE:
            settings["CHATCORE_TEST_SIMULATION_LARGE"] = 1
        given = " ".join(f"{name}={value!r}" for name, value in settings.items() if value is not None)
        return f"{given} .venv/bin/pytest tests/integration/test_simulation.py -k campaign"


def choices(chunk: int) -> Iterator[Choice]:
    """Yield the worlds of a chunk."""
    fresh = seeds_from(source(), chunk)
    if SEED is not None:
        yield Choice(SEED, STRESS)
    elif HOURS:
        yield from _for_hours(fresh)
    else:
        yield from map(Choice, range(chunk, FIXED, len(CHUNKS)))
        yield from map(Choice, islice(fresh, FRESH // len(CHUNKS)))


def stressed(stress: str) -> Iterator[Choice]:
    """Yield the worlds of the campaign under one stress."""
    fixed, fresh = (0, 1) if HOURS or SEED is not None else (FIXED_STRESSED, FRESH_STRESSED)
    for seed in (*range(fixed), *islice(seeds_from(source(), stress), fresh)):
        yield Choice(seed, stress)


def _for_hours(fresh: Iterator[int]) -> Iterator[Choice]:
    end = time.monotonic() + HOURS * 3_600
    while time.monotonic() < end:
        seed = next(fresh)
        random = Random(seed)
        yield Choice(seed, random.choice(list(STRESSES)) if random.random() < STRESSED else None)


def header() -> str:
    """Return one line that says which seeds the campaign runs."""
    if SEED is not None:
        return f"simulation: seed {SEED}"
    drawn = f"drawn from {source()}"
    if HOURS:
        return f"simulation: seeds {drawn} for {HOURS:g} h"
    parts = [(chunk, FRESH // len(CHUNKS)) for chunk in CHUNKS] + [(stress, FRESH_STRESSED) for stress in STRESSES]
    fresh = [str(seed) for part, count in parts for seed in islice(seeds_from(source(), part), count)]
    return f"simulation: seeds 0 to {FIXED - 1}, and {len(fresh)} {drawn}: {' '.join(fresh)}"
