"""The contract suite of the bus on the memory bus."""

import pytest

from chatcore.ports.bus import RoomHint
from chatcore.testing.bus import BusContract, HintRecorder
from chatcore_memory import MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus()


@pytest.mark.anyio
async def test_hints_are_received_in_order_when_publish_returns() -> None:
    bus, received = MemoryBus(), HintRecorder()
    hints = [RoomHint(room="room", seq=seq) for seq in range(1, 11)]
    async with bus.subscribe(received):
        await bus.publish(hints)
        assert received.hints == hints
