"""The simulation's campaign: many seeds, none of which breaks a promise, in which everything occurs that it knows.

``CHATCORE_TEST_SEEDS`` says how many seeds (500), ``CHATCORE_TEST_FIRST_SEED`` where they begin (0): a seed that fails
is run again alone by setting these to 1 and to the seed.
"""

import os
from collections import Counter

import pytest

from chatcore.testing.simulation import simulate
from chatcore_memory import MemoryStore

SEEDS = int(os.environ.get("CHATCORE_TEST_SEEDS", "500"))
FIRST = int(os.environ.get("CHATCORE_TEST_FIRST_SEED", "0"))
COMMANDS = 200
OFTEN = 50
FULL = 500
"""From so many seeds on everything has to occur often; a replay of one shows only what it shows."""
OCCURRENCES = {
    "command": ("message.send", "history", "sync", "rooms", "room.get", "room.create", "room.join"),
    "answer": ("ok", "invalid", "not_found", "forbidden", "key_reused", "unavailable"),
    "store": ("fails before", "fails after", "slow before", "slow after", "hangs", "lands late", "away"),
    "hint": ("lost", "doubled", "late"),
    "bus": ("away",),
    "directory": ("slow", "fails"),
    "node": ("crashes", "stops"),
    "caller": ("cancelled",),
    "line": ("cut", "half open", "slow reader"),
    "sync": ("events", "reset", "gone"),
}


@pytest.mark.timeout(3_600)
def test_no_seed_breaks_a_promise_and_everything_occurs_often() -> None:
    counts: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        run = simulate(seed, MemoryStore, commands=COMMANDS)
        assert not run.broken, f"seed {seed} breaks {run.broken}"
        counts += run.counts
    if SEEDS >= FULL:
        names = [f"{kind}: {what}" for kind, all_of in OCCURRENCES.items() for what in all_of]
        assert {name: counts[name] for name in names if counts[name] < OFTEN} == {}


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (simulate(7, MemoryStore, tracing=True) for _ in range(2))
    assert one.trace
    assert one == other
    assert one.trace != simulate(8, MemoryStore, tracing=True).trace
