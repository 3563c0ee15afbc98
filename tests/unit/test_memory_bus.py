"""The memory bus keeps the contract."""

import pytest

from chatcore.ports.bus import RoomHint
from chatcore.testing.bus import BusContract, HintRecorder
from chatcore_memory import MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus()


@pytest.mark.anyio
async def test_hints_have_been_heard_in_order_when_publish_returns() -> None:
    bus, heard = MemoryBus(), HintRecorder()
    hints = [RoomHint(room="room", seq=seq) for seq in range(1, 11)]
    async with bus.subscribe(heard):
        await bus.publish(hints)
        assert heard.hints == hints
