"""Virtual time."""

import asyncio
from random import Random

import pytest

from chatcore.testing.clock import ShuffledLoop, Stuck


async def yield_forever() -> None:
    while True:  # noqa: ASYNC110 - the test needs work that never waits
        await asyncio.sleep(0)


def test_work_that_never_waits_raises_stuck() -> None:
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(Random(1))) as runner, pytest.raises(Stuck):
        runner.run(yield_forever())


async def count_seconds(counted: list[float]) -> None:
    while True:
        await asyncio.sleep(1)
        counted.append(asyncio.get_running_loop().time())


def test_held_callback_runs_once_when_made_ready() -> None:
    loop = ShuffledLoop(Random(1))
    held: list[asyncio.Handle] = []
    counted: list[float] = []

    def hold(handle: asyncio.Handle) -> bool:
        blocked = loop.time() < 4.5
        if blocked:
            held.append(handle)
        return blocked

    async def block_between() -> None:
        counting = asyncio.create_task(count_seconds(counted))
        await asyncio.sleep(1.5)
        loop.hold_back = hold
        loop.call_at(4.5, lambda: loop.make_ready(held))
        await asyncio.sleep(4.1)
        counting.cancel()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(block_between())
    assert counted == [1, 4.5, 5.5]
