"""What commands ask of the event loop, on asyncio and elsewhere."""

import anyio
import pytest

from chatcore.live.event_loop import WRONG_LOOP, Handover, LoopGuard, current_time

pytestmark = pytest.mark.anyio


async def test_the_clock_is_the_event_loops() -> None:
    before = anyio.current_time()
    assert before <= current_time() <= anyio.current_time()


async def test_a_value_reaches_whoever_waits_for_it() -> None:
    value: Handover[int] = Handover()
    taken: list[int] = []

    async def take() -> None:
        taken.append(await value.take())

    async with anyio.create_task_group() as group:
        group.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        value.give(7)
    assert taken == [7]


async def test_a_value_waits_for_whoever_comes_later() -> None:
    value: Handover[int] = Handover()
    value.give(7)
    assert await value.take() == 7


async def test_a_value_may_be_given_to_somebody_who_has_left() -> None:
    value: Handover[int] = Handover()

    async def take() -> None:
        await value.take()

    async with anyio.create_task_group() as group:
        group.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    value.give(7)


def test_guard_refuses_a_call_outside_of_any_event_loop_once_it_was_entered() -> None:
    guard = LoopGuard()
    guard.check()

    async def enter() -> None:
        guard.enter()

    anyio.run(enter)
    with pytest.raises(RuntimeError, match=WRONG_LOOP):
        guard.check()
