"""The simulation's campaign: many seeds, none of which breaks a promise, in which everything occurs that there is.

``CHATCORE_TEST_SEEDS`` says how many seeds (500), ``CHATCORE_TEST_FIRST_SEED`` where they begin (0): a seed that fails
is run again alone by setting these to 1 and to the seed.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

from chatcore.commands.table import COMMANDS
from chatcore.protocol.events import EVENTS
from chatcore.testing.simulation import FAULTS, SCENES, simulate
from chatcore_memory import MemoryRegistry, MemoryStore

SEEDS = int(os.environ.get("CHATCORE_TEST_SEEDS", "500"))
FIRST = int(os.environ.get("CHATCORE_TEST_FIRST_SEED", "0"))
COMMANDS_A_SEED = 200
OFTEN = 50
SELDOM = 20
"""For the scene that alone is worth a seed's commands."""
FULL = 500
"""From so many seeds on everything has to occur often; a replay of one shows only what it shows."""
REFUSED = ("invalid", "unauthenticated", "not_found", "forbidden", "conflict", "key_reused")
ANSWERS = ("ok", *REFUSED, "unavailable", "internal")
OCCURRENCES: Mapping[str, Iterable[str]] = {
    "command": COMMANDS,
    "kind": EVENTS,
    "answer": ANSWERS,
    "sync": ("events", "gap", "reset", "gone"),
    "bye": ("slow", "shutdown", "expired", "signed_out", "kicked"),
}
"""A command counts when it was carried out, an entry's kind when it is in a log."""


def occurrences() -> Mapping[str, int]:
    """What has to occur, and how often."""
    names = [f"{group}: {what}" for group, all_of in OCCURRENCES.items() for what in all_of]
    scenes = {f"scene: {name}": SELDOM if name == "flood" else OFTEN for name in SCENES}
    return dict.fromkeys([*names, *FAULTS], OFTEN) | scenes


@pytest.mark.timeout(3_600)
def test_no_seed_breaks_a_promise_and_everything_occurs_often() -> None:
    counts: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        run = simulate(seed, MemoryStore, MemoryRegistry, commands=COMMANDS_A_SEED)
        assert not run.broken, f"seed {seed} breaks {run.broken}"
        counts += run.counts
    if SEEDS >= FULL:
        assert {name: counts[name] for name, often in occurrences().items() if counts[name] < often} == {}


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (simulate(7, MemoryStore, MemoryRegistry, tracing=True) for _ in range(2))
    assert one.trace
    assert one == other
    assert one.trace != simulate(8, MemoryStore, MemoryRegistry, tracing=True).trace


RUNS = """
import hashlib
from chatcore.testing.simulation import simulate
from chatcore_memory import MemoryRegistry, MemoryStore
for seed in (35, 45, 62, 298):
    run = simulate(seed, MemoryStore, MemoryRegistry, tracing=True)
    print(seed, hashlib.sha256(repr(run.trace).encode()).hexdigest())
"""


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    """Each process orders its sets of texts in its own way."""

    def runs(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", RUNS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    one, other = runs("1"), runs("2")
    assert len(one.splitlines()) == 4
    assert one == other
