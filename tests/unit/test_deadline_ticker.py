"""The one task that looks at all deadlines."""

import asyncio
import logging

import pytest

from chatcore_socketio.deadlines import DeadlineTicker

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting:
    """Counts how often it is looked at; the third time is told."""

    def __init__(self) -> None:
        self.ticks = 0
        self.third = asyncio.Event()

    def tick(self, now: float) -> None:
        self.ticks += 1
        if self.ticks == 3:
            self.third.set()


class Broken(Counting):
    def tick(self, now: float) -> None:
        super().tick(now)
        raise ZeroDivisionError


async def test_deadline_that_can_not_be_looked_at_keeps_no_other_from_it(caplog: pytest.LogCaptureFixture) -> None:
    ticker = DeadlineTicker(0)
    watched = [Broken(), Counting(), Broken()]
    for one in watched:
        ticker.watch(one)
    async with asyncio.timeout(5):
        for one in watched:
            await one.third.wait()
    for one in watched:
        ticker.forget(one)
    assert caplog.record_tuples[0] == (
        "chatcore_socketio.deadlines",
        logging.ERROR,
        "a deadline could not be looked at",
    )


async def test_nothing_runs_while_nothing_is_watched_and_it_begins_anew() -> None:
    ticker, before = DeadlineTicker(0), asyncio.all_tasks()
    for _ in range(2):
        one = Counting()
        ticker.watch(one)
        async with asyncio.timeout(5):
            await one.third.wait()
        ticker.forget(one)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
