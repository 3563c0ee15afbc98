"""A cancelled call breaks no promise, at whichever of its awaits it is cancelled."""

import pytest

from chatcore.commands.command import RoomCommand
from chatcore.commands.table import COMMANDS
from chatcore.testing.simulation import CancelAt, simulate
from chatcore_memory import MemoryRegistry, MemoryStore

COMMANDS_A_SEED = 30
METHODS = ("execute", "receive")
CALLS = ("connect", "disconnect", "close", *(f"{method}: {command}" for command in COMMANDS for method in METHODS))
AWAIT_NOTHING = {
    "execute: auth.refresh",
    "execute: presence.set",
    *(f"receive: {name}" for name, command in COMMANDS.items() if issubclass(command, RoomCommand)),
}
"""Commands that are refused without a socket, and commands that `receive` only queues while few are in flight."""
SEEDS = 4
"""A call has no further await if it reaches none under so many seeds."""


def cancel_everywhere(call: str) -> tuple[int, list[str]]:
    """Cancel a call at its first await, its second, and so on.

    Returns:
        How many awaits the call has, and the promises that were broken.
    """
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
def test_call_cancelled_at_any_await_breaks_no_promise(call: str) -> None:
    awaits, broken = cancel_everywhere(call)
    assert broken == []
    assert awaits or call in AWAIT_NOTHING
