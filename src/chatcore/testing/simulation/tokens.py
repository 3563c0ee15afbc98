"""What sockets of the simulation are opened with, and what lengthens their access."""

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio

from ...errors import Unavailable
from ...ids import UserId
from ...ports.authenticator import Principal
from .climate import STRANGER
from .world import World

GOOD, OF_ANOTHER, WRONG = TOKENS = ("good", "of another", "wrong")
REFRESHED_S = 300
"""What a good token gives."""


async def authenticate(world: World, user: UserId, clock: Callable[[], datetime], token: str) -> Principal | None:
    """Whom a token stands for that the socket of ``user`` shows."""
    await anyio.sleep(world.delay())
    if world.faults.happens("authenticator: fails"):
        raise Unavailable
    owner = {GOOD: user, OF_ANOTHER: STRANGER if user != STRANGER else "another"}.get(token)
    return Principal(owner, expires_at=clock() + timedelta(seconds=REFRESHED_S)) if owner else None
