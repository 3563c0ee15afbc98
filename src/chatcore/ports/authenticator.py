"""Who is on the line."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from attrs import field, frozen

from ..ids import UserId


@frozen(kw_only=True)
class Credentials:
    """What a client shows: the bearer token, the request's headers (lower-case names) and cookies, its address."""

    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    cookies: Mapping[str, str] = field(factory=dict, repr=False)
    remote: str | None = None


@frozen
class Principal:
    """A user who is known. ``session`` groups the sockets that end together; none lives beyond ``expires_at`` (UTC)."""

    user: UserId
    device: str | None = None
    expires_at: datetime | None = None
    session: str | None = None


Authenticator: TypeAlias = Callable[[Credentials], Awaitable[Principal | None]]
"""None for somebody who is nobody. It may raise `Unavailable`: nobody can tell now."""
