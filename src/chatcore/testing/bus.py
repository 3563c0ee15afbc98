"""The contract suite of `Bus`."""

from collections.abc import Sequence

import anyio
import pytest

from ..ports.bus import BlockHint, Bus, Hint, MarkerHint, PresenceHint, RevocationHint, RoomHint, TypingHint
from .builders import message, opened, opens
from .logs import HOSTILE_NAMES

TIMEOUT_S = 10

HINTS: Sequence[Hint] = [
    RoomHint(room="room", seq=7),
    RoomHint(room="room", seq=1, affects=("alice", "bob")),
    RoomHint(
        room="room", seq=2**53, affects=("alice",), entry=message(seq=2, body="a\0b", data={"z": [1.5], "a": None})
    ),
    RoomHint(room="room", seq=1, affects=("alice",), entry=opened(opens=opens("alice", title="'Täg'"))),
    RevocationHint(sockets=frozenset({"s1", "s2"})),
    RevocationHint(sockets=frozenset()),
    MarkerHint(node="n1", room="room", user="bob", read=2**53, delivered=2**53, unread=100, everyone=True),
    MarkerHint(node="n1", room="room", user="bob", read=0, delivered=0, unread=0, everyone=False),
    BlockHint(user="alice", other="'Täg'"),
    TypingHint(node="n1", room="room", user="'Täg'", on=True, number=1),
    TypingHint(node="n1", room="room", user="'Täg'", on=False, number=2**53),
    PresenceHint(node="n1", users=frozenset({"alice", *HOSTILE_NAMES})),
    *(RoomHint(room=name, seq=1, affects=(name,), entry=message(name, 2, name)) for name in HOSTILE_NAMES),
]


class HintRecorder:
    """A receiver that records its hints. `until` waits for them."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self._more = anyio.Event()

    def __call__(self, hint: Hint) -> None:
        self.hints.append(hint)
        self._more.set()
        self._more = anyio.Event()

    async def until(self, hints: Sequence[Hint]) -> None:
        """Return once each of ``hints`` has arrived."""
        with anyio.fail_after(TIMEOUT_S):
            while [hint for hint in hints if hint not in self.hints]:
                await self._more.wait()


@pytest.mark.anyio
class BusContract:
    """Subclass it, with a fixture ``bus``. Where each node has its own bus object, add the fixture ``other``: another
    node's bus.
    """

    @pytest.fixture
    async def bus(self) -> Bus:
        raise NotImplementedError

    @pytest.fixture
    async def other(self, bus: Bus) -> Bus:
        return bus

    async def test_hints_of_every_kind_reach_another_node_unchanged(self, bus: Bus, other: Bus) -> None:
        received = HintRecorder()
        async with other.subscribe(received):
            await bus.publish(HINTS)
            await received.until(HINTS)
        assert all(hint in HINTS for hint in received.hints)

    async def test_every_subscriber_receives_every_hint(self, bus: Bus, other: Bus) -> None:
        first, second = HintRecorder(), HintRecorder()
        async with other.subscribe(first), other.subscribe(second):
            await bus.publish(HINTS)
            await first.until(HINTS)
            await second.until(HINTS)

    async def test_hints_travel_in_both_directions(self, bus: Bus, other: Bus) -> None:
        here, there = HintRecorder(), HintRecorder()
        async with bus.subscribe(here), other.subscribe(there):
            await bus.publish(HINTS[:1])
            await there.until(HINTS[:1])
            await other.publish(HINTS[1:2])
            await here.until(HINTS[1:2])

    async def test_ended_subscription_receives_nothing_others_continue(self, bus: Bus, other: Bus) -> None:
        ended, open_ = HintRecorder(), HintRecorder()
        async with other.subscribe(open_):
            async with other.subscribe(ended):
                await bus.publish(HINTS[:1])
                await ended.until(HINTS[:1])
            await bus.publish(HINTS[1:2])
            await open_.until(HINTS[:2])
        assert HINTS[1] not in ended.hints

    async def test_receiver_can_subscribe_again(self, bus: Bus, other: Bus) -> None:
        received = HintRecorder()
        async with other.subscribe(received):
            pass
        async with other.subscribe(received):
            await bus.publish(HINTS[:1])
            await received.until(HINTS[:1])

    async def test_publishing_without_subscribers_or_hints_has_no_effect(self, bus: Bus, other: Bus) -> None:
        await bus.publish(HINTS)
        received = HintRecorder()
        async with other.subscribe(received):
            await bus.publish([])
            await bus.publish(HINTS[:1])
            await received.until(HINTS[:1])

    async def test_thousand_hints_are_delivered(self, bus: Bus, other: Bus) -> None:
        received = HintRecorder()
        hints = [RoomHint(room=f"room {number % 7}", seq=number) for number in range(1, 1001)]
        async with other.subscribe(received):
            for start in range(0, 1000, 50):
                await bus.publish(hints[start : start + 50])
                await received.until(hints[start : start + 50])
