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
SEEDS = 4
"""Where none of so many seeds has a call that comes as far as an await, all awaits have been tried."""


def broken_over(call: str) -> tuple[int, list[str]]:
    """Cancel a call at its first await, its second, and so on. Returns how many there were, and what was broken."""
    number = 0
    broken: list[str] = []
    while True:
        number += 1
        for seed in range(number, number + SEEDS):
            run = simulate(
                seed, MemoryStore, MemoryRegistry, commands=COMMANDS_A_SEED, cancel_at=CancelAt(call, number)
            )
            broken += [f"{call} cancelled at await {number}, seed {seed}: {promise}" for promise in run.violations]
            if run.counts["cancelled"]:
                break
        else:
            return number - 1, broken


@pytest.mark.parametrize("call", CALLS)
def test_no_promise_is_broken_at_whichever_await_a_call_is_cancelled(call: str) -> None:
    awaits, broken = broken_over(call)
    assert broken == []
    assert awaits or call in AWAIT_NOTHING
