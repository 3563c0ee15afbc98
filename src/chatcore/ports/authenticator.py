"""The port that authenticates clients."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from attrs import Attribute, evolve, field, frozen

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

    def without_cookies(self) -> "Credentials":
        """Return these credentials without the cookies, also in the headers."""
        headers = {name: value for name, value in self.headers.items() if name != "cookie"}
        return evolve(self, headers=headers, cookies={})


def check_user_type(user: object) -> None:
    """Raise TypeError unless ``user`` is a str. A lazy object that stands for a str is none."""
    if not issubclass(type(user), str):
        raise TypeError(f"a user is a str, such as str(user.id), not {type(user).__name__}")


def _check_user(_: object, __: "Attribute[UserId]", value: object) -> None:
    check_user_type(value)


def check_end(expires_at: object) -> None:
    """Raise TypeError unless ``expires_at`` is None or a datetime with a time zone."""
    if expires_at is not None and not (isinstance(expires_at, datetime) and expires_at.tzinfo):
        raise TypeError(
            "expires_at is a datetime with a time zone, such as datetime.fromtimestamp(exp, UTC), "
            f"not {'one without' if isinstance(expires_at, datetime) else type(expires_at).__name__}"
        )


def _check_end(_: object, __: "Attribute[datetime | None]", value: object) -> None:
    check_end(value)


@frozen
class Principal:
    """An authenticated user. Raises TypeError if ``user`` is not a str, or ``expires_at`` has no time zone.

    Attributes:
        expires_at: UTC time at which the user's sockets end; None for no end.
        session: the session of the user. All sockets of a session can be closed together.
    """

    user: UserId = field(validator=_check_user)
    device: str | None = None
    expires_at: datetime | None = field(default=None, validator=_check_end)
    session: str | None = None


Authenticator: TypeAlias = Callable[[Credentials], Awaitable[Principal | None]]
"""Returns None if the credentials are not valid. Raises `Unavailable` if they cannot be checked. It has 2 s."""
