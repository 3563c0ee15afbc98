"""Entering a Chat on SQLite that is cancelled at any moment leaves the folder free for the next Chat."""

import asyncio
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from chatcore import Chat
from chatcore_sqlite import SqliteStore

pytestmark = pytest.mark.anyio

STEPS = (*range(40), *range(40, 2_000, 100))
"""Turns of the event loop before the cancellation: each of the first turns, and some later turns."""


async def open_and_close(folder: Path) -> None:
    """Open and close a store. Raises `StoreError` if an earlier opening still has the folder."""
    async with SqliteStore(folder):
        pass


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_entering_cancelled_with_its_task_at_any_step_frees_folder(tmp_path: Path, anyio_backend: str) -> None:
    before, cancelled = asyncio.all_tasks(), 0
    for steps in STEPS:
        chat = Chat(SqliteStore(tmp_path))
        entering = asyncio.create_task(chat.__aenter__())
        for _ in range(steps):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait([entering])
        if entering.cancelled():
            cancelled += 1
        else:
            await chat.__aexit__(None, None, None)
        assert asyncio.all_tasks() == before
        await open_and_close(tmp_path)
    assert cancelled


async def test_entering_cancelled_by_scope_at_any_step_frees_folder(tmp_path: Path) -> None:
    cancelled = 0
    for steps in STEPS:
        entered = False
        scope = anyio.CancelScope()

        async def cancel(steps: int, scope: anyio.CancelScope) -> None:
            for _ in range(steps):
                await checkpoint()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel, steps, scope)
            with scope:
                async with Chat(SqliteStore(tmp_path)):
                    entered = True
        cancelled += not entered
        await open_and_close(tmp_path)
    assert cancelled
