"""A call that is cancelled breaks no promise, at whichever await that happens."""

import pytest

from chatcore.commands.command import RoomCommand
from chatcore.commands.table import COMMANDS
from chatcore.testing.simulation import CancelAt, simulate
from chatcore_memory import MemoryRegistry, MemoryStore

COMMANDS_A_SEED = 30
WAYS = ("execute", "receive")
CALLS = ("connect", "disconnect", "close", *(f"{way}: {command}" for command in COMMANDS for way in WAYS))
AWAIT_NOTHING = {
    "execute: auth.refresh",
    *(f"receive: {name}" for name, command in COMMANDS.items() if issubclass(command, RoomCommand)),
}
"""Refused without a socket; and what is only queued, where its socket has little unanswered."""
SEEDS_WITHOUT = 5
"""After so many seeds in a row in which no call came as far as an await, all have been tried."""


def broken_over(call: str) -> tuple[int, list[str]]:
    """Cancel a call at its first await, its second, and so on. Returns how many there were, and what was broken."""
    number = without = 0
    broken: list[str] = []
    while without < SEEDS_WITHOUT:
        number += 1
        run = simulate(number, MemoryStore, MemoryRegistry, commands=COMMANDS_A_SEED, cancel_at=CancelAt(call, number))
        broken += [f"{call} cancelled at await {number}, seed {number}: {promise}" for promise in run.broken]
        without = 0 if run.counts["cancelled"] else without + 1
    return number - without, broken


@pytest.mark.parametrize("call", CALLS)
def test_no_promise_is_broken_at_whichever_await_a_call_is_cancelled(call: str) -> None:
    awaits, broken = broken_over(call)
    assert broken == []
    assert awaits or call in AWAIT_NOTHING
