"""What commands use of the event loop, on asyncio and on trio."""

import anyio
import pytest

from chatcore.live.event_loop import WRONG_LOOP, Handover, LoopGuard, current_time

pytestmark = pytest.mark.anyio


async def test_current_time_is_the_clock_of_the_event_loop() -> None:
    before = anyio.current_time()
    assert before <= current_time() <= anyio.current_time()


async def test_take_returns_the_value_that_is_given_later() -> None:
    handover: Handover[int] = Handover()
    taken: list[int] = []

    async def take() -> None:
        taken.append(await handover.take())

    async with anyio.create_task_group() as group:
        group.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        handover.give(7)
    assert taken == [7]


async def test_take_returns_the_value_that_was_given_before() -> None:
    handover: Handover[int] = Handover()
    handover.give(7)
    assert await handover.take() == 7


async def test_give_after_a_cancelled_take_raises_nothing() -> None:
    handover: Handover[int] = Handover()

    async def take() -> None:
        await handover.take()

    async with anyio.create_task_group() as group:
        group.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    handover.give(7)


def test_guard_refuses_a_call_outside_of_any_event_loop_once_entered() -> None:
    guard = LoopGuard()
    guard.check()

    async def enter() -> None:
        guard.enter()

    anyio.run(enter)
    with pytest.raises(RuntimeError, match=WRONG_LOOP):
        guard.check()
