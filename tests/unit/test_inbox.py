"""Packets that wait for a dispatcher are bounded, and the reader goes on once half of the bound is free."""

import asyncio

import pytest

from chatcore_socketio.inbox import FRAMES_MAX, Inbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("packet", "most"), [("x", 256), ("x" * 65_536, 4)])
async def test_inbox_is_full_by_packets_or_by_characters(packet: str, most: int) -> None:
    inbox = Inbox()
    for _ in range(2):
        for _ in range(most - 1):
            inbox.put(packet)
            assert not inbox.full
        inbox.put(packet)
        assert inbox.full
        room = inbox.room()
        for _ in range(most // 2 - 1):
            assert await inbox.take() == packet
            assert not room.done()
        assert inbox.holds_up_the_reader
        await inbox.take()
        assert room.done()
        assert not inbox.holds_up_the_reader
        for _ in range(most // 2):
            await inbox.take()


@pytest.mark.parametrize(("packet", "count"), [("x", 257), ("x" * 65_537, 4)])
async def test_inbox_that_is_given_more_than_its_bound_is_full(packet: str, count: int) -> None:
    inbox = Inbox()
    for _ in range(count):
        inbox.put(packet)
    assert inbox.full


async def test_closed_inbox_gives_what_is_there_and_lets_the_reader_go() -> None:
    inbox = Inbox()
    for number in range(FRAMES_MAX):
        inbox.put(f"{number}")
    room = inbox.room()
    inbox.close()
    assert room.done()
    assert [await inbox.take() for _ in range(FRAMES_MAX + 1)] == [*(f"{number}" for number in range(FRAMES_MAX)), None]


async def test_take_waits_for_the_next_packet_or_the_end() -> None:
    inbox = Inbox()
    for packet in ("first", "second"):
        taking = asyncio.create_task(inbox.take())
        await asyncio.sleep(0)
        assert not taking.done()
        inbox.put(packet)
        assert await taking == packet
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    inbox.close()
    assert await taking is None
    assert inbox.taken == 2


async def test_packet_put_after_a_cancelled_take_stays_for_the_next() -> None:
    inbox = Inbox()
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    taking.cancel()
    inbox.put("x")
    await asyncio.wait({taking})
    assert await inbox.take() == "x"


async def test_cleared_inbox_has_its_whole_bound_again() -> None:
    inbox = Inbox()
    for _ in range(3):
        inbox.put("x" * 65_536)
    inbox.clear()
    for size in (65_536, 65_536, 65_536, 65_535):
        inbox.put("x" * size)
    assert not inbox.full
    inbox.put("x")
    assert inbox.full
    assert inbox.taken == 0
