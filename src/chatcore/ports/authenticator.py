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


@frozen
class Principal:
    """An authenticated user. Raises TypeError if ``user`` is not a str.

    Attributes:
        expires_at: UTC time at which the user's sockets end; None for no end.
        session: the session of the user. All sockets of a session can be closed together.
    """

    user: UserId = field(validator=_check_user)
    device: str | None = None
    expires_at: datetime | None = None
    session: str | None = None


Authenticator: TypeAlias = Callable[[Credentials], Awaitable[Principal | None]]
"""Returns None if the credentials are not valid. Raises `Unavailable` if they cannot be checked. It has 2 s."""
