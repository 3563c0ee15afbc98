"""What every `Bus` has to do."""

from collections.abc import Sequence

import anyio
import pytest

from ..ports.bus import Bus, Hint, MarkerHint, RevocationHint, RoomHint
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
    *(RoomHint(room=name, seq=1, affects=(name,), entry=message(name, 2, name)) for name in HOSTILE_NAMES),
]


class Heard:
    """A receiver that can be waited for."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self._more = anyio.Event()

    def __call__(self, hint: Hint) -> None:
        self.hints.append(hint)
        self._more.set()
        self._more = anyio.Event()

    async def all_of(self, hints: Sequence[Hint]) -> None:
        """Wait until each of ``hints`` has come."""
        with anyio.fail_after(TIMEOUT_S):
            while [hint for hint in hints if hint not in self.hints]:
                await self._more.wait()


@pytest.mark.anyio
class BusContract:
    """Subclass it, with a fixture ``bus``; and one ``other``, where nodes have a bus object each, for another node."""

    @pytest.fixture
    async def bus(self) -> Bus:
        raise NotImplementedError

    @pytest.fixture
    async def other(self, bus: Bus) -> Bus:
        return bus

    async def test_hints_of_every_kind_reach_another_node_exactly(self, bus: Bus, other: Bus) -> None:
        heard = Heard()
        async with other.subscribe(heard):
            await bus.publish(HINTS)
            await heard.all_of(HINTS)
        assert all(hint in HINTS for hint in heard.hints)

    async def test_every_subscriber_hears_every_hint(self, bus: Bus, other: Bus) -> None:
        one, two = Heard(), Heard()
        async with other.subscribe(one), other.subscribe(two):
            await bus.publish(HINTS)
            await one.all_of(HINTS)
            await two.all_of(HINTS)

    async def test_hints_travel_in_both_directions(self, bus: Bus, other: Bus) -> None:
        here, there = Heard(), Heard()
        async with bus.subscribe(here), other.subscribe(there):
            await bus.publish(HINTS[:1])
            await there.all_of(HINTS[:1])
            await other.publish(HINTS[1:2])
            await here.all_of(HINTS[1:2])

    async def test_who_has_left_hears_nothing_and_the_others_do(self, bus: Bus, other: Bus) -> None:
        gone, stays = Heard(), Heard()
        async with other.subscribe(stays):
            async with other.subscribe(gone):
                await bus.publish(HINTS[:1])
                await gone.all_of(HINTS[:1])
            await bus.publish(HINTS[1:2])
            await stays.all_of(HINTS[:2])
        assert HINTS[1] not in gone.hints

    async def test_one_receiver_may_subscribe_again(self, bus: Bus, other: Bus) -> None:
        heard = Heard()
        async with other.subscribe(heard):
            pass
        async with other.subscribe(heard):
            await bus.publish(HINTS[:1])
            await heard.all_of(HINTS[:1])

    async def test_publishing_to_nobody_or_nothing_is_nothing(self, bus: Bus, other: Bus) -> None:
        await bus.publish(HINTS)
        heard = Heard()
        async with other.subscribe(heard):
            await bus.publish([])
            await bus.publish(HINTS[:1])
            await heard.all_of(HINTS[:1])

    async def test_many_hints_are_carried(self, bus: Bus, other: Bus) -> None:
        heard = Heard()
        hints = [RoomHint(room=f"room {number % 7}", seq=number) for number in range(1, 1001)]
        async with other.subscribe(heard):
            for start in range(0, 1000, 50):
                await bus.publish(hints[start : start + 50])
                await heard.all_of(hints[start : start + 50])
