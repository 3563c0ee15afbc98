"""The callbacks of the host application: its user directory, its canonical user ids, and its authenticator."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import anyio

from ...domain.names import search_form
from ...errors import Unavailable
from ...ids import UserId
from ...ports.authenticator import Principal
from ...ports.user_directory import Profile
from .processes import Process
from .profile import STRANGER, UNKNOWN_USER
from .world import World

VALID_TOKEN, TOKEN_OF_OTHER, INVALID_TOKEN = TOKENS = ("good", "of another", "wrong")
REFRESHED_S = 300
"""Seconds of access that a valid token gives."""
HANGS_S = 60
"""Longer than a node waits for any callback."""
DIRECTORY_FAULTS = ("directory: fails", "directory: slow", "directory: hangs", "directory: raises")
AUTHENTICATOR_FAULTS = ("authenticator: fails", "authenticator: slow", "authenticator: raises")


async def directory(world: World, process: Process, users: Collection[UserId]) -> Mapping[UserId, Profile]:
    """Return the profiles of ``users``. Every user exists except `UNKNOWN_USER`."""
    await _apply_fault(world, process, world.faults.draw(DIRECTORY_FAULTS), slow_max_s=1.9)
    return {user: Profile() for user in users if user != UNKNOWN_USER}


async def people(world: World, process: Process, prefix: str, limit: int) -> Mapping[UserId, Profile]:
    """Return users whose id begins with ``prefix``."""
    await _apply_fault(world, process, world.faults.draw(DIRECTORY_FAULTS), slow_max_s=1.9)
    found = sorted(user for user in (*world.users, STRANGER) if search_form(user).startswith(prefix))
    return {user: Profile() for user in found[:limit]}


def canonical(world: World, process: Process, user: UserId) -> UserId:
    """Return ``user``: every id is canonical."""
    if world.faults.occurs("canonical: raises"):
        raise world.injected_error(process)
    return user


async def authenticate(
    world: World, process: Process, user: UserId, session: str, clock: Callable[[], datetime], token: str | None
) -> Principal | None:
    """Return the principal of a token that a socket of ``user`` presents."""
    await anyio.sleep(world.delay())
    await _apply_fault(world, process, world.faults.draw(AUTHENTICATOR_FAULTS), slow_max_s=4)
    other = STRANGER if user != STRANGER else "another"
    owner = {VALID_TOKEN: user, TOKEN_OF_OTHER: other}.get(token or "")
    return Principal(owner, expires_at=clock() + timedelta(seconds=REFRESHED_S), session=session) if owner else None


async def _apply_fault(world: World, process: Process, fault: str | None, slow_max_s: float) -> None:
    """Let a callback go wrong as ``fault`` names it. A slow callback takes up to ``slow_max_s``."""
    match (fault or "").partition(": ")[2]:
        case "fails":
            process.port_failed_at = world.now
            raise Unavailable
        case "slow":
            await _wait(world, process, world.random.uniform(0, slow_max_s))
        case "hangs":
            await _wait(world, process, HANGS_S)
        case "raises":
            raise world.injected_error(process)
        case _:
            pass


async def _wait(world: World, process: Process, seconds: float) -> None:
    """Wait, and note that the node may have given the call up."""
    try:
        await asyncio.sleep(seconds)
    finally:
        process.port_failed_at = world.now
