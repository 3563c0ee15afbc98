"""The queue of packets is bounded, and the receiver goes on once the queue is half full."""

import asyncio

import pytest

from chatcore_socketio.packet_handler import PACKETS_MAX, PacketQueue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("packet", "most"), [("x", 256), ("x" * 65_536, 4)])
async def test_queue_is_full_by_packets_or_by_characters(packet: str, most: int) -> None:
    queue = PacketQueue()
    for _ in range(2):
        for _ in range(most - 1):
            queue.put(packet)
            assert not queue.is_full
        queue.put(packet)
        assert queue.is_full
        space = queue.space()
        for _ in range(most // 2 - 1):
            assert await queue.take() == packet
            assert not space.done()
        assert queue.is_receiver_waiting
        await queue.take()
        assert space.done()
        assert not queue.is_receiver_waiting
        for _ in range(most // 2):
            await queue.take()


@pytest.mark.parametrize(("packet", "count"), [("x", 257), ("x" * 65_537, 4)])
async def test_queue_above_its_bound_is_full(packet: str, count: int) -> None:
    queue = PacketQueue()
    for _ in range(count):
        queue.put(packet)
    assert queue.is_full


async def test_closed_queue_gives_its_packets_and_wakes_the_receiver() -> None:
    queue = PacketQueue()
    for number in range(PACKETS_MAX):
        queue.put(f"{number}")
    space = queue.space()
    queue.close()
    assert space.done()
    assert [await queue.take() for _ in range(PACKETS_MAX + 1)] == [
        *(f"{number}" for number in range(PACKETS_MAX)),
        None,
    ]


async def test_take_waits_for_the_next_packet_or_the_end() -> None:
    queue = PacketQueue()
    for packet in ("first", "second"):
        taking = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        assert not taking.done()
        queue.put(packet)
        assert await taking == packet
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.close()
    assert await taking is None
    assert queue.taken == 2


async def test_packet_put_after_a_cancelled_take_stays_for_the_next() -> None:
    queue = PacketQueue()
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    taking.cancel()
    queue.put("x")
    await asyncio.wait({taking})
    assert await queue.take() == "x"


async def test_cleared_queue_has_its_whole_bound_again() -> None:
    queue = PacketQueue()
    for _ in range(3):
        queue.put("x" * 65_536)
    queue.clear()
    for size in (65_536, 65_536, 65_536, 65_535):
        queue.put("x" * size)
    assert not queue.is_full
    queue.put("x")
    assert queue.is_full
    assert queue.taken == 0
