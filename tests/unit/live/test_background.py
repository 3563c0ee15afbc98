"""Tasks that outlive the call that started them."""

import gc
import weakref

import anyio
import pytest

from chatcore.live.background import IDLE_MAX, Background

pytestmark = pytest.mark.anyio


class Works:
    """Coroutine functions that record the task in which they run."""

    def __init__(self) -> None:
        self.tasks: list[int] = []
        self.go_on = anyio.Event()

    async def short(self) -> None:
        self.tasks.append(anyio.get_current_task().id)

    async def failing(self) -> None:
        await self.short()
        raise ZeroDivisionError

    async def waiting(self) -> None:
        await self.short()
        await self.go_on.wait()


async def test_task_of_ended_or_failed_work_runs_the_next_work() -> None:
    works = Works()
    async with Background() as background:
        for work in (works.short, works.failing, works.short):
            background.start(work)
            await anyio.wait_all_tasks_blocked()
        assert len(works.tasks) == 3
        assert len(set(works.tasks)) == background.idle == 1


async def test_concurrent_works_have_one_task_each_and_idle_tasks_are_bounded() -> None:
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
        background.start(works.short)
        await anyio.wait_all_tasks_blocked()
        background.start(works.short)  # in the task that is idle now
        await anyio.wait_all_tasks_blocked()
        assert len(works.tasks) == 2
        kept = weakref.ref(works)
        del works
        gc.collect()
        assert background.idle == 1
        assert kept() is None


async def test_cancelled_enter_leaves_no_task() -> None:
    before = anyio.get_running_tasks()
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with Background():
            pytest.fail("the background was entered")
    assert anyio.get_running_tasks() == before


async def test_work_continues_while_the_entering_task_is_cancelled() -> None:
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


async def test_exit_by_cancellation_waits_until_every_task_has_ended() -> None:
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


async def test_exit_cancels_running_and_queued_work() -> None:
    works = Works()
    with anyio.fail_after(5):
        async with Background() as background:
            background.start(works.short)
            await anyio.wait_all_tasks_blocked()
            background.start(works.waiting)
            background.start(works.waiting)
