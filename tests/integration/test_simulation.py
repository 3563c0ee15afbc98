"""The simulation's campaign: no seed breaks a promise, and every command, fault and scenario occurs often.

`simulation_seeds` has the seeds and the settings. The campaign runs in chunks, so that workers share it.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import pytest

from chatcore.commands.table import COMMANDS
from chatcore.protocol.events import EVENTS
from chatcore.testing.simulation import FAULTS, SCENARIOS, STRESSES, simulate
from chatcore_memory import MemoryRegistry, MemoryStore
from tests.seeds import digest

from .simulation_seeds import CHUNKS, HOURS, LARGE, Choice, choices, seeds_from, stressed

COMMANDS_A_SEED = 200
OFTEN = 0.02
"""How often everything must occur in a world on average."""
UNDER_STRESS = ("scenario: flood", "sync: gap")
"""What occurs too seldom in ordinary worlds, and must occur under the stress `long room`."""
ENOUGH = 60
"""The fewest worlds in which everything must occur often. A replay of one world has no such requirement."""
REFUSED = ("invalid", "unauthenticated", "not_found", "forbidden", "conflict", "key_reused")
ANSWERS = ("ok", *REFUSED, "unavailable", "internal")
OCCURRENCES: Mapping[str, Iterable[str]] = {
    "command": COMMANDS,
    "kind": EVENTS,
    "answer": ANSWERS,
    "sync": ("events", "gap", "reset", "gone"),
    "bye": ("slow", "shutdown", "expired", "signed_out", "kicked"),
}
"""A command counts if it was carried out, a kind of entry if a log has such an entry."""


def occurrences() -> Mapping[str, float]:
    """Return how often each thing that must occur does so in a world on average."""
    names = [f"{group}: {name}" for group, members in OCCURRENCES.items() for name in members]
    scenarios = [f"scenario: {name}" for name in SCENARIOS]
    return {name: OFTEN for name in (*names, *scenarios, *FAULTS) if name not in UNDER_STRESS}


@pytest.mark.timeout(3_600 * (1 + HOURS))
@pytest.mark.parametrize("chunk", CHUNKS)
def test_campaign_breaks_no_promise_and_everything_occurs_often(chunk: int) -> None:
    ran, counts = _counts_of(choices(chunk))
    if ran >= ENOUGH:
        assert {name: counts[name] for name, often in occurrences().items() if counts[name] < often * ran} == {}


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("stress", [pytest.param(name, id=name.replace(" ", "-")) for name in STRESSES])
def test_stress_breaks_no_promise(stress: str) -> None:
    _, counts = _counts_of(stressed(stress))
    if stress == "long room":
        assert all(counts[name] for name in UNDER_STRESS)


def _counts_of(worlds: Iterable[Choice]) -> tuple[int, Counter[str]]:
    """Run worlds, which may break no promise. Returns the number of worlds, and of all occurrences."""
    counts: Counter[str] = Counter()
    ran, began = 0, time.process_time()
    for world in worlds:
        run = simulate(
            world.seed, MemoryStore, MemoryRegistry, commands=COMMANDS_A_SEED, stress=world.stress, large=LARGE
        )
        assert not run.violations, f"{world} breaks {run.violations}; again: {world.replay}"
        counts += run.counts
        ran += 1
    print(f"{ran} worlds, {ran / (time.process_time() - began):.1f} a second of the processor")
    for name in sorted(name for name in counts if name.startswith("tolerated: ")):
        print(f"{counts[name]:6} {name}")
    return ran, counts


def test_fresh_seeds_depend_only_on_their_source(tmp_path: Path) -> None:
    def seeds(source: str, chunk: int = 0) -> list[int]:
        return list(islice(seeds_from(source, chunk), 50))

    assert seeds("a commit") == seeds("a commit")
    assert not set(seeds("a commit")) & set(seeds("another"))
    assert seeds("a commit") != seeds("a commit", chunk=1)
    (tmp_path / "module.py").write_text("before")
    before = digest(tmp_path)
    assert before == digest(tmp_path)
    (tmp_path / "module.py").write_text("after")
    assert before != digest(tmp_path)


def test_same_seed_gives_same_run() -> None:
    first, second = (simulate(7, MemoryStore, MemoryRegistry, tracing=True) for _ in range(2))
    assert first.trace
    assert first == second
    assert first.trace != simulate(8, MemoryStore, MemoryRegistry, tracing=True).trace


RUNS = """
import hashlib
from random import Random
from chatcore.testing.simulation import simulate
from chatcore_memory import MemoryRegistry, MemoryStore
random, held = Random(), []
for seed in (35, 45, 62, 62, 62, 62, 298):
    held += [bytes(random.randrange(1_000)) for _ in range(random.randrange(5_000))]
    del held[::2]
    run = simulate(seed, MemoryStore, MemoryRegistry, tracing=True)
    print(seed, hashlib.sha256(repr(run.trace).encode()).hexdigest())
"""


def test_same_seed_gives_same_run_in_every_process() -> None:
    """Each process orders its sets of strings by its own hash seed, and its sets of objects by their addresses."""

    def runs(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", RUNS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first, second = runs("1"), runs("2")
    assert len(set(first.splitlines())) == 4
    assert first == second
