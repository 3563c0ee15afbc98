"""Tasks that outlive the call that started them."""

import gc
import weakref

import anyio
import pytest

from chatcore.live.background import IDLE_MAX, Background

pytestmark = pytest.mark.anyio


class Works:
    """Works, and in which task each was carried out."""

    def __init__(self) -> None:
        self.tasks: list[int] = []
        self.go_on = anyio.Event()

    async def one(self) -> None:
        self.tasks.append(anyio.get_current_task().id)

    async def failing(self) -> None:
        await self.one()
        raise ZeroDivisionError

    async def waiting(self) -> None:
        await self.one()
        await self.go_on.wait()


async def test_a_task_whose_work_has_ended_or_failed_takes_the_next_one() -> None:
    works = Works()
    async with Background() as background:
        for work in (works.one, works.failing, works.one):
            background.start(work)
            await anyio.wait_all_tasks_blocked()
        assert len(works.tasks) == 3
        assert len(set(works.tasks)) == background.idle == 1


async def test_works_at_the_same_time_have_a_task_each_of_which_some_stay() -> None:
    works = Works()
    async with Background() as background:
        for _ in range(IDLE_MAX + 10):
            background.start(works.waiting)
        await anyio.wait_all_tasks_blocked()
        assert len(set(works.tasks)) == IDLE_MAX + 10
        assert background.idle == 0
        works.go_on.set()
        await anyio.wait_all_tasks_blocked()
        assert background.idle == IDLE_MAX


async def test_idle_task_does_not_keep_its_last_work_in_memory() -> None:
    async with Background() as background:
        works = Works()
        background.start(works.one)
        await anyio.wait_all_tasks_blocked()
        background.start(works.one)  # by the task that is idle now
        await anyio.wait_all_tasks_blocked()
        assert len(works.tasks) == 2
        kept = weakref.ref(works)
        del works
        gc.collect()
        assert background.idle == 1
        assert kept() is None


async def test_entering_that_is_cancelled_leaves_no_task_behind() -> None:
    before = anyio.get_running_tasks()
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with Background():
            pytest.fail("it was entered")
    assert anyio.get_running_tasks() == before


async def test_work_goes_on_while_the_task_that_entered_is_cancelled() -> None:
    go_on, ended = anyio.Event(), anyio.Event()

    async def work() -> None:
        await go_on.wait()
        ended.set()

    with anyio.CancelScope() as scope:
        async with Background() as background:
            background.start(work)
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                go_on.set()
                await anyio.wait_all_tasks_blocked()
    assert ended.is_set()


async def test_leaving_by_cancellation_waits_until_every_task_has_ended() -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            ended.append(True)

    with anyio.CancelScope() as scope:
        async with Background() as background:
            background.start(work)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.sleep_forever()
    assert ended == [True]


async def test_leaving_ends_what_runs_and_what_waits() -> None:
    works = Works()
    with anyio.fail_after(5):
        async with Background() as background:
            background.start(works.one)
            await anyio.wait_all_tasks_blocked()
            background.start(works.waiting)
            background.start(works.waiting)
