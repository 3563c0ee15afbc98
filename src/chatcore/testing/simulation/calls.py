"""A call over the network, to the store or to the socket registry, and what goes wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from ...errors import Unavailable
from .owners import Owner
from .world import World

TIMEOUT_S = 2
"""A store and a registry answer within 2 s, or fail."""

Call: TypeAlias = Callable[[], Awaitable[Any]]


async def _fails_before(world: World, _: Owner, call: Call) -> Any:
    await asyncio.sleep(world.delay())
    raise Unavailable


async def _fails_after(_: World, __: Owner, call: Call) -> Any:
    await call()
    raise Unavailable


async def _slow_before(world: World, _: Owner, call: Call) -> Any:
    await asyncio.sleep(world.random.uniform(0, TIMEOUT_S))
    return await call()


async def _slow_after(world: World, _: Owner, call: Call) -> Any:
    result = await call()
    await asyncio.sleep(world.random.uniform(0, TIMEOUT_S))
    return result


async def _hangs(world: World, _: Owner, call: Call) -> Any:
    if world.random.random() < 0.5:
        await call()
    await asyncio.sleep(TIMEOUT_S)
    raise Unavailable


async def _raises(world: World, node: Owner, call: Call) -> Any:
    """The port's contract allows `Unavailable` only."""
    if world.random.random() < 0.5:
        await call()
    raise world.injected(node)


_WAYS: Mapping[str, Callable[[World, Owner, Call], Awaitable[Any]]] = {
    "fails before": _fails_before,
    "fails after": _fails_after,
    "slow before": _slow_before,
    "slow after": _slow_after,
    "slow read": _slow_after,
    "hangs": _hangs,
    "raises": _raises,
}


def faults_of(port: str, *, read: bool = False) -> tuple[str, ...]:
    """The names of the faults of a port's calls; only a ``read`` has `slow read`, which is frequent where it occurs."""
    return tuple(f"{port}: {way}" for way in _WAYS if read or way != "slow read")


async def carry_out(world: World, node: Owner, fault: str | None, call: Call) -> Any:
    """Make a call of ``node`` with a fault of `faults_of`, or without one."""
    if fault:
        return await _WAYS[fault.partition(": ")[2]](world, node, call)
    if delay := world.delay():
        await asyncio.sleep(delay)
    return await call()
