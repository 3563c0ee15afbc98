"""The garbage collector with the server's settings."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable

import pytest

from chatcore_server import garbage_collector

from .clients import TIMEOUT_S

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Node:
    """An object that may refer to others."""

    def __init__(self) -> None:
        self.other: object = None


async def until(condition: Callable[[], object]) -> None:
    """Work until ``condition`` holds: a collection starts after a number of allocations, not after a time."""
    async with asyncio.timeout(4 * TIMEOUT_S):
        while not condition():
            sum(range(100_000))
            await asyncio.sleep(0)


async def test_reference_cycles_are_freed_while_server_runs() -> None:
    with garbage_collector.set_for_serving():
        node = Node()
        node.other = node
        alive = weakref.ref(node)
        del node
        await until(lambda: alive() is None)


async def test_objects_of_long_collection_are_not_traversed_again() -> None:
    with garbage_collector.set_for_serving():
        before = gc.get_freeze_count()
        nodes = [Node() for _ in range(300_000)]
        await until(lambda: gc.get_freeze_count() > before + 300_000)
        alive = weakref.ref(nodes[0])
        nodes.clear()
        assert alive() is None
        assert gc.get_freeze_count() < before + 300_000


async def test_collections_stay_short_while_heap_grows() -> None:
    pauses: list[float] = []
    began = 0.0

    def measure(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            pauses.append(time.thread_time() - began)

    with garbage_collector.set_for_serving():
        gc.callbacks.append(measure)
        try:
            heap: list[Node] = []
            for round_ in range(8):
                heap += [Node() for _ in range(100_000)]
                await until(lambda: len(pauses) > round_)  # noqa: B023
        finally:
            gc.callbacks.remove(measure)
    assert max(pauses) < 3 * 0.05
    assert len(heap) == 800_000


async def test_python_collection_is_restored_afterwards() -> None:
    frozen = gc.get_freeze_count()
    with garbage_collector.set_for_serving():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen
