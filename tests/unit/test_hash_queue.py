"""Who hashes next, who is refused, and when a refused caller may come back."""

import asyncio

import anyio
import pytest

from chatcore.accounts.hash_queue import JITTER, OTHER_PLACES, RETRY_S_MAX, HashQueue
from chatcore.errors import RateLimited

pytestmark = pytest.mark.anyio


def quiet_queue() -> HashQueue:
    """A queue for one hash at a time, whose clock stands still."""
    return HashQueue(1, monotonic=lambda: 0.0, uniform=lambda _, most: most)


async def wait_in(queue: HashQueue, attempts: float = 1) -> None:
    async with queue.turn(known=False, attempts=lambda: attempts):
        pass


async def refusal(queue: HashQueue, attempts: float = 1) -> int:
    """How long a caller who is refused at once is told to wait, in milliseconds."""
    with anyio.fail_after(5), pytest.raises(RateLimited) as refused:
        await wait_in(queue, attempts)
    return refused.value.retry_after_ms or 0


async def test_refused_callers_are_never_told_to_stay_away_for_long() -> None:
    queue, waits = quiet_queue(), list[int]()
    async with anyio.create_task_group() as tasks, queue.turn(known=False, attempts=lambda: 0):
        for _ in range(OTHER_PLACES):
            tasks.start_soon(wait_in, queue)
        await anyio.wait_all_tasks_blocked()
        for _ in range(1_000):
            waits.append(await refusal(queue))
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] == 1_000 * RETRY_S_MAX * (1 + JITTER)


async def test_caller_with_as_many_attempts_displaces_nobody_and_one_with_fewer_does() -> None:
    queue = quiet_queue()
    ended: list[str] = []

    async def come(name: str, attempts: float) -> None:
        try:
            await wait_in(queue, attempts)
        except RateLimited:
            name = f"{name} refused"
        ended.append(name)

    async with anyio.create_task_group() as tasks, queue.turn(known=False, attempts=lambda: 0):
        for number in range(OTHER_PLACES):
            tasks.start_soon(come, f"{number}", 1)
            await anyio.wait_all_tasks_blocked()
        await come("equal", 1)
        assert ended == ["equal refused"]
        tasks.start_soon(come, "fewer", 0)
        await anyio.wait_all_tasks_blocked()
        assert ended == ["equal refused", f"{OTHER_PLACES - 1} refused"]
    assert ended[2:] == ["fewer", *(f"{number}" for number in range(OTHER_PLACES - 1))]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_caller_whose_task_is_cancelled_as_its_turn_comes_hands_it_on(anyio_backend: str) -> None:
    """A server that stops cancels its handlers' tasks, also in the moment between a turn's end and the next."""
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
