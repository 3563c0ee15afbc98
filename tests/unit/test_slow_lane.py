"""The queues of sign-ins for guessed names."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from chatcore.accounts.slow_lane import PLACES, PLACES_IN_ALL, WAIT_S, SlowLane
from chatcore.errors import RateLimited
from chatcore.ports.rate_limiter import Rate
from chatcore.testing import virtual_time
from chatcore_limits import MemoryRateLimiter

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


class Crowd:
    """Attempts in a slow lane; ``refused`` counts the refused attempts."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.limiter = MemoryRateLimiter({"sign_in_slow": Rate(1, 3600)}, clock=anyio.current_time)
        self.limiter.take("sign_in_slow", "bob")  # so that no attempt is admitted during a test
        self.lane = SlowLane(self.limiter)
        self.tasks = tasks
        self.refused = 0

    async def enter(self, attempts: int, name: str = "bob") -> Callable[[], None]:
        """Begin an attempt. Returns a function that cancels it."""
        scope = anyio.CancelScope()

        async def wait() -> None:
            with scope:
                try:
                    await self.lane.turn(name, lambda: attempts)
                except RateLimited:
                    self.refused += 1

        self.tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        return scope.cancel


async def test_queue_of_a_name_stays_bounded_after_a_displaced_attempt() -> None:
    async with anyio.create_task_group() as tasks:
        crowd = Crowd(tasks)
        await crowd.enter(9)
        cancels = [await crowd.enter(1) for _ in range(PLACES)]  # the last attempt displaces the first
        for cancel in cancels:
            cancel()
        await anyio.wait_all_tasks_blocked()
        await crowd.enter(1)
        await anyio.sleep(0.1)
        assert crowd.refused == 1  # the displaced attempt, after all others were cancelled
        for _ in range(PLACES):
            await crowd.enter(1)
        await anyio.sleep(0.1)
        assert crowd.refused == 2
        tasks.cancel_scope.cancel()


async def test_attempt_that_waited_10_s_is_refused() -> None:
    async with anyio.create_task_group() as tasks:
        crowd = Crowd(tasks)
        await crowd.enter(1)
        await anyio.sleep(WAIT_S - 0.1)
        assert crowd.refused == 0
        await anyio.sleep(0.2)
        assert crowd.refused == 1
        assert not crowd.lane._queues


async def test_queues_of_all_names_together_are_bounded() -> None:
    async with anyio.create_task_group() as tasks:
        crowd = Crowd(tasks)
        names = [f"user-{number}" for number in range(PLACES_IN_ALL)]
        for name in names:
            crowd.limiter.take("sign_in_slow", name)
        cancels = [await crowd.enter(1, name) for name in names]
        assert crowd.refused == 0
        await crowd.enter(0, "one more")
        assert crowd.refused == 1
        cancels[0]()
        await anyio.wait_all_tasks_blocked()
        await crowd.enter(0)
        assert crowd.refused == 1
        assert len(crowd.lane._queues) == PLACES_IN_ALL
        tasks.cancel_scope.cancel()
