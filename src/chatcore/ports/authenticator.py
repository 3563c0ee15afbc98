"""The port that authenticates clients."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from attrs import field, frozen

from ..ids import UserId


@frozen(kw_only=True)
class Credentials:
    """The credentials of a client, and where it connects from.

    Attributes:
        token: the bearer token.
        headers: the request's headers, by lower-case names.
        remote: the client's network address.
    """

    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    cookies: Mapping[str, str] = field(factory=dict, repr=False)
    remote: str | None = None


@frozen
class Principal:
    """An authenticated user.

    Attributes:
        expires_at: UTC time at which the user's sockets end; None for no end.
        session: the session of the user. All sockets of a session can be closed together.
    """

    user: UserId
    device: str | None = None
    expires_at: datetime | None = None
    session: str | None = None


Authenticator: TypeAlias = Callable[[Credentials], Awaitable[Principal | None]]
"""Returns None if the credentials are not valid. Raises `Unavailable` if they cannot be checked."""
