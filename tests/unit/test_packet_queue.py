"""Packets that wait for a dispatcher are bounded, and the reader goes on once half of the bound is free."""

import asyncio

import pytest

from chatcore_socketio.packet_handler import FRAMES_MAX, PacketQueue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("packet", "most"), [("x", 256), ("x" * 65_536, 4)])
async def test_inbox_is_full_by_packets_or_by_characters(packet: str, most: int) -> None:
    queue = PacketQueue()
    for _ in range(2):
        for _ in range(most - 1):
            queue.put(packet)
            assert not queue.full
        queue.put(packet)
        assert queue.full
        room = queue.room()
        for _ in range(most // 2 - 1):
            assert await queue.take() == packet
            assert not room.done()
        assert queue.holds_up_the_reader
        await queue.take()
        assert room.done()
        assert not queue.holds_up_the_reader
        for _ in range(most // 2):
            await queue.take()


@pytest.mark.parametrize(("packet", "count"), [("x", 257), ("x" * 65_537, 4)])
async def test_inbox_that_is_given_more_than_its_bound_is_full(packet: str, count: int) -> None:
    queue = PacketQueue()
    for _ in range(count):
        queue.put(packet)
    assert queue.full


async def test_closed_inbox_gives_what_is_there_and_lets_the_reader_go() -> None:
    queue = PacketQueue()
    for number in range(FRAMES_MAX):
        queue.put(f"{number}")
    room = queue.room()
    queue.close()
    assert room.done()
    assert [await queue.take() for _ in range(FRAMES_MAX + 1)] == [*(f"{number}" for number in range(FRAMES_MAX)), None]


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


async def test_cleared_inbox_has_its_whole_bound_again() -> None:
    queue = PacketQueue()
    for _ in range(3):
        queue.put("x" * 65_536)
    queue.clear()
    for size in (65_536, 65_536, 65_536, 65_535):
        queue.put("x" * size)
    assert not queue.full
    queue.put("x")
    assert queue.full
    assert queue.taken == 0
