"""The host's callbacks: its directory, its spelling of names, and what the sockets' tokens stand for."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import anyio

from ...errors import Unavailable
from ...ids import UserId
from ...ports.authenticator import Principal
from ...ports.directory import Profile
from .climate import NOBODY, STRANGER
from .owners import Owner
from .world import World

GOOD, OF_ANOTHER, WRONG = TOKENS = ("good", "of another", "wrong")
REFRESHED_S = 300
"""What a good token gives."""
HANGS_S = 60
"""Longer than anything waits for a host."""


async def _kept_waiting(world: World, node: Owner, seconds: float) -> None:
    """The host answers so late that the node may give it up."""
    try:
        await asyncio.sleep(seconds)
    finally:
        node.failed_at = world.now


async def directory(world: World, node: Owner, users: Collection[UserId]) -> Mapping[UserId, Profile]:
    """Everybody exists but one."""
    match world.faults.one_of(DIRECTORY_FAULTS):
        case "directory: fails":
            node.failed_at = world.now
            raise Unavailable
        case "directory: slow":
            await _kept_waiting(world, node, world.random.uniform(0, 1.9))
        case "directory: hangs":
            await _kept_waiting(world, node, HANGS_S)
        case "directory: raises":
            raise world.injected(node)
        case _:
            pass
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
    """Whom a token stands for that the socket of ``user`` shows."""
    await anyio.sleep(world.delay())
    match world.faults.one_of(AUTHENTICATOR_FAULTS):
        case "authenticator: fails":
            node.failed_at = world.now
            raise Unavailable
        case "authenticator: slow":
            await _kept_waiting(world, node, world.random.uniform(0, 4))
        case "authenticator: raises":
            raise world.injected(node)
        case _:
            pass
    owner = {GOOD: user, OF_ANOTHER: STRANGER if user != STRANGER else "another"}.get(token)
    return Principal(owner, expires_at=clock() + timedelta(seconds=REFRESHED_S), session=session) if owner else None


AUTHENTICATOR_FAULTS = ("authenticator: fails", "authenticator: slow", "authenticator: raises")
