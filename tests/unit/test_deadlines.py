"""The task that checks the deadlines of all sessions."""

import asyncio
import logging

import pytest

from chatcore_websocket.deadlines import DeadlineTicker

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting:
    """Counts its checks, and sets an event at the third check."""

    def __init__(self) -> None:
        self.checks = 0
        self.third = asyncio.Event()

    def check_deadlines(self, now: float) -> None:
        self.checks += 1
        if self.checks == 3:
            self.third.set()


class Broken(Counting):
    def check_deadlines(self, now: float) -> None:
        super().check_deadlines(now)
        raise ZeroDivisionError


async def test_failing_deadline_check_does_not_stop_other_checks(caplog: pytest.LogCaptureFixture) -> None:
    ticker = DeadlineTicker(0)
    all_checked = [Broken(), Counting(), Broken()]
    for checked in all_checked:
        ticker.add(checked)
    async with asyncio.timeout(5):
        for checked in all_checked:
            await checked.third.wait()
    for checked in all_checked:
        ticker.remove(checked)
    assert caplog.record_tuples[0] == (
        "chatcore_websocket.deadlines",
        logging.ERROR,
        "deadline check failed",
    )


async def test_ticker_runs_a_task_only_while_it_has_objects_to_check() -> None:
    ticker, before = DeadlineTicker(0), asyncio.all_tasks()
    for _ in range(2):
        checked = Counting()
        ticker.add(checked)
        async with asyncio.timeout(5):
            await checked.third.wait()
        ticker.remove(checked)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
