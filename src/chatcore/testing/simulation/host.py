"""The host's callbacks: its directory, its spelling of names, and what the sockets' tokens stand for."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import anyio

from ...errors import Unavailable
from ...ids import UserId
from ...ports.authenticator import Principal
from ...ports.user_directory import Profile
from .climate import NOBODY, STRANGER
from .owners import Owner
from .world import World

GOOD, OF_ANOTHER, WRONG = TOKENS = ("good", "of another", "wrong")
REFRESHED_S = 300
"""What a good token gives."""
HANGS_S = 60
"""Longer than anything waits for a host."""


async def _trouble(world: World, node: Owner, fault: str | None, slow_s: float) -> None:
    """Let a callback of the host go wrong as ``fault`` says; a slow one takes up to ``slow_s``."""
    match (fault or "").partition(": ")[2]:
        case "fails":
            node.failed_at = world.now
            raise Unavailable
        case "slow":
            await _wait(world, node, world.random.uniform(0, slow_s))
        case "hangs":
            await _wait(world, node, HANGS_S)
        case "raises":
            raise world.injected(node)
        case _:
            pass


async def _wait(world: World, node: Owner, seconds: float) -> None:
    """Wait so long that the node may give the call up."""
    try:
        await asyncio.sleep(seconds)
    finally:
        node.failed_at = world.now


async def directory(world: World, node: Owner, users: Collection[UserId]) -> Mapping[UserId, Profile]:
    """Return the profiles of ``users``; all exist but `NOBODY`."""
    await _trouble(world, node, world.faults.one_of(DIRECTORY_FAULTS), slow_s=1.9)
    return {user: Profile() for user in users if user != NOBODY}


DIRECTORY_FAULTS = ("directory: fails", "directory: slow", "directory: hangs", "directory: raises")


def canonical(world: World, node: Owner, user: UserId) -> UserId:
    """Every name is spelled as it is written."""
    if world.faults.happens("canonical: raises"):
        raise world.injected(node)
    return user


async def authenticate(
    world: World, node: Owner, user: UserId, session: str, clock: Callable[[], datetime], token: str
) -> Principal | None:
    """Return the principal of a token that a socket of ``user`` presents."""
    await anyio.sleep(world.delay())
    await _trouble(world, node, world.faults.one_of(AUTHENTICATOR_FAULTS), slow_s=4)
    owner = {GOOD: user, OF_ANOTHER: STRANGER if user != STRANGER else "another"}.get(token)
    return Principal(owner, expires_at=clock() + timedelta(seconds=REFRESHED_S), session=session) if owner else None


AUTHENTICATOR_FAULTS = ("authenticator: fails", "authenticator: slow", "authenticator: raises")
