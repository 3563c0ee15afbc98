"""The number of function calls of a message, which does not depend on the machine."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from chatcore import Ask, Chat, Command, Gate
from chatcore_memory import MemoryStore
from tests import counting_client
from tests.counting_client import CountingClient

CALLS_MAX = 80
GATE_CALLS_MAX = 10
"""The additional calls of a message with a gate that does nothing, without the calls of the gate."""
IN_FLIGHT = 64
MESSAGES = 10 * IN_FLIGHT


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def passes(ask: Ask) -> Command[Any]:
    return ask.command


@pytest.mark.anyio
@pytest.mark.parametrize(("gate", "most"), [(None, CALLS_MAX), (passes, CALLS_MAX + GATE_CALLS_MAX)])
async def test_message_between_two_users_takes_at_most_80_calls_and_10_for_a_gate(gate: Gate | None, most: int) -> None:
    """From `Socket.receive` to the answer, both users' pushes included, with 64 messages in flight."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename not in (__file__, counting_client.__file__):
            calls[frame.f_code.co_qualname] += 1

    alice, bob = CountingClient("alice"), CountingClient("bob")
    async with (
        Chat(MemoryStore(), gate=gate) as chat,
        chat.connect(alice, user="alice") as socket,
        chat.connect(bob, user="bob"),
    ):
        await alice.talk(socket, "bob", "before the room is live", MESSAGES)
        sys.setprofile(count)
        await alice.talk(socket, "bob", "counted", MESSAGES)
        sys.setprofile(None)
        assert bob.pushed >= 2 * MESSAGES
    assert calls.total() <= most * MESSAGES, [(name, count / MESSAGES) for name, count in calls.most_common(100)]
