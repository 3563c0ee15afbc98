"""The number of function calls of a message, which does not depend on the machine."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import anyio
import pytest

from chatcore import Ask, Bye, Chat, Command, Gate, Push, Socket
from chatcore.protocol import Object
from chatcore_memory import MemoryStore

CALLS_MAX = 80
GATE_CALLS_MAX = 10
"""The additional calls of a message with a gate that does nothing, without the calls of the gate."""
IN_FLIGHT = 64
MESSAGES = 10 * IN_FLIGHT


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """A connection that counts pushes and awaited answers."""

    def __init__(self, user: str) -> None:
        self.id = user
        self.pushed = 0
        self.awaited = 0
        self.all_answered = anyio.Event()

    def send(self, push: Push) -> None:
        self.pushed += 1

    def close(self, bye: Bye) -> None: ...

    async def drained(self) -> None: ...

    def take(self, answer: Object) -> None:
        assert answer["ok"]
        self.awaited -= 1
        if not self.awaited:
            self.all_answered.set()

    async def talk(self, socket: Socket, key: str) -> None:
        """Send messages, and return once all of them are answered."""
        self.awaited, self.all_answered = MESSAGES, anyio.Event()
        for number in range(MESSAGES):
            await socket.receive("message.send", {"to": "bob", "key": f"{key} {number}", "body": "hello"}, self.take)
        await self.all_answered.wait()


async def passes(ask: Ask) -> Command[Any]:
    return ask.command


@pytest.mark.anyio
@pytest.mark.parametrize(("gate", "most"), [(None, CALLS_MAX), (passes, CALLS_MAX + GATE_CALLS_MAX)])
async def test_message_between_two_users_takes_at_most_80_calls_and_10_for_a_gate(gate: Gate | None, most: int) -> None:
    """From `Socket.receive` to the answer, both users' pushes included, with 64 messages in flight."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename != __file__:
            calls[frame.f_code.co_qualname] += 1

    alice, bob = Client("alice"), Client("bob")
    async with (
        Chat(MemoryStore(), gate=gate) as chat,
        chat.connect(alice, user="alice") as socket,
        chat.connect(bob, user="bob"),
    ):
        await alice.talk(socket, "before the room is live")
        sys.setprofile(count)
        await alice.talk(socket, "counted")
        sys.setprofile(None)
        assert bob.pushed >= 2 * MESSAGES
    assert calls.total() <= most * MESSAGES, [(name, count / MESSAGES) for name, count in calls.most_common(100)]
