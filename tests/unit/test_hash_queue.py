"""The order of callers in the hash queue, refusals, and the retry times of refused callers."""

import asyncio

import anyio
import pytest

from chatcore.accounts.hash_queue import JITTER, OTHER_PLACES, RETRY_S_MAX, HashQueue
from chatcore.errors import RateLimited

pytestmark = pytest.mark.anyio


def quiet_queue() -> HashQueue:
    """Return a queue for one hash at a time, with a clock that does not move."""
    return HashQueue(1, monotonic=lambda: 0.0, uniform=lambda _, most: most)


async def wait_in(queue: HashQueue, attempts: float = 1) -> None:
    async with queue.turn(known=False, attempts=lambda: attempts):
        pass


async def refusal(queue: HashQueue, attempts: float = 1) -> int:
    """Return the retry time of a caller that is refused at once, in milliseconds."""
    with anyio.fail_after(5), pytest.raises(RateLimited) as refused:
        await wait_in(queue, attempts)
    return refused.value.retry_after_ms or 0


async def test_refused_callers_get_bounded_retry_times() -> None:
    queue, waits = quiet_queue(), list[int]()
    async with anyio.create_task_group() as tasks, queue.turn(known=False, attempts=lambda: 0):
        for _ in range(OTHER_PLACES):
            tasks.start_soon(wait_in, queue)
        await anyio.wait_all_tasks_blocked()
        for _ in range(1_000):
            waits.append(await refusal(queue))
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] == 1_000 * RETRY_S_MAX * (1 + JITTER)


async def test_caller_with_fewer_attempts_displaces_a_caller_with_more() -> None:
    queue = quiet_queue()
    ended: list[str] = []

    async def wait_as(name: str, attempts: float) -> None:
        try:
            await wait_in(queue, attempts)
        except RateLimited:
            name = f"{name} refused"
        ended.append(name)

    async with anyio.create_task_group() as tasks, queue.turn(known=False, attempts=lambda: 0):
        for number in range(OTHER_PLACES):
            tasks.start_soon(wait_as, f"{number}", 1)
            await anyio.wait_all_tasks_blocked()
        await wait_as("equal", 1)
        assert ended == ["equal refused"]
        tasks.start_soon(wait_as, "fewer", 0)
        await anyio.wait_all_tasks_blocked()
        assert ended == ["equal refused", f"{OTHER_PLACES - 1} refused"]
    assert ended[2:] == ["fewer", *(f"{number}" for number in range(OTHER_PLACES - 1))]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_caller_cancelled_at_its_turn_passes_the_turn_on(anyio_backend: str) -> None:
    """A server that stops cancels the tasks of its handlers, also between the end of a turn and the next turn."""
    queue = quiet_queue()
    turn = queue.turn(known=False, attempts=lambda: 0)
    await turn.__aenter__()
    waiting = [asyncio.create_task(wait_in(queue)) for _ in range(2)]
    await anyio.wait_all_tasks_blocked()
    await turn.__aexit__(None, None, None)
    waiting[0].cancel()
    async with asyncio.timeout(5):
        await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, False]
    with anyio.fail_after(5):
        await wait_in(queue)
