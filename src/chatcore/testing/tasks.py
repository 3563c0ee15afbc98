"""Concurrent calls for tests."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

_Result = TypeVar("_Result")


async def at_once(calls: Iterable[Callable[[], Awaitable[_Result]]]) -> list[_Result]:
    """Start all calls and wait for all. Returns their results in the order of the calls."""
    results: dict[int, _Result] = {}

    async def run(number: int, call: Callable[[], Awaitable[_Result]]) -> None:
        results[number] = await call()

    async with anyio.create_task_group() as tasks:
        for number, call in enumerate(calls):
            tasks.start_soon(run, number, call)
    return [results[number] for number in sorted(results)]


@asynccontextmanager
async def meanwhile(work: Callable[[], Awaitable[None]]) -> AsyncGenerator[Callable[[], bool], None]:
    """Run ``work`` while the block runs, and wait for its end. Yields a function that returns whether it still runs."""
    running = True

    async def run() -> None:
        nonlocal running
        try:
            await work()
        finally:
            running = False

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await checkpoint()
        yield lambda: running
