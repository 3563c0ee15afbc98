"""The bounded queue of messages. A waiting receiver continues once the queue is half full."""

import asyncio

import pytest

from chatcore_websocket.incoming_queue import MESSAGES_MAX, IncomingQueue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("message", "most"), [("x", 256), ("x" * 65_536, 4)])
async def test_queue_is_full_by_messages_or_by_characters(message: str, most: int) -> None:
    queue = IncomingQueue()
    for _ in range(2):
        for _ in range(most - 1):
            queue.put(message)
            assert not queue.is_full
        queue.put(message)
        assert queue.is_full
        space = queue.space()
        for _ in range(most // 2 - 1):
            assert await queue.take() == message
            assert not space.done()
        assert queue.is_receiver_waiting
        await queue.take()
        assert space.done()
        assert not queue.is_receiver_waiting
        for _ in range(most // 2):
            await queue.take()


@pytest.mark.parametrize(("message", "count"), [("x", 257), ("x" * 65_537, 4)])
async def test_queue_above_its_bound_is_full(message: str, count: int) -> None:
    queue = IncomingQueue()
    for _ in range(count):
        queue.put(message)
    assert queue.is_full


async def test_closed_queue_returns_its_messages_and_wakes_the_receiver() -> None:
    queue = IncomingQueue()
    for number in range(MESSAGES_MAX):
        queue.put(f"{number}")
    space = queue.space()
    queue.close()
    assert space.done()
    assert [await queue.take() for _ in range(MESSAGES_MAX + 1)] == [
        *(f"{number}" for number in range(MESSAGES_MAX)),
        None,
    ]


async def test_take_waits_for_the_next_message_or_the_end() -> None:
    queue = IncomingQueue()
    for message in ("first", "second"):
        taking = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        assert not taking.done()
        queue.put(message)
        assert await taking == message
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.close()
    assert await taking is None
    assert queue.taken == 2


async def test_message_put_after_a_cancelled_take_stays_for_the_next() -> None:
    queue = IncomingQueue()
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    taking.cancel()
    queue.put("x")
    await asyncio.wait({taking})
    assert await queue.take() == "x"


async def test_cleared_queue_has_its_whole_bound_again() -> None:
    queue = IncomingQueue()
    for _ in range(3):
        queue.put("x" * 65_536)
    queue.clear()
    for size in (65_536, 65_536, 65_536, 65_535):
        queue.put("x" * size)
    assert not queue.is_full
    queue.put("x")
    assert queue.is_full
    assert queue.taken == 0
