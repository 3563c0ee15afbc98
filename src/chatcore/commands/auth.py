"""The command that extends a socket's access."""

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import optional

from ..errors import Invalid
from . import fields
from .command import Context, ReadingCommand, Refusals

TOKEN_MAX = 16_384


@frozen(kw_only=True)
class RefreshResult:
    """The answer of `RefreshAuth`: the seconds until the socket's access ends, None if it does not end."""

    expires_in: int | None


@frozen(kw_only=True)
class RefreshAuth(ReadingCommand[RefreshResult]):
    """Extend this socket's access.

    Attributes:
        token: a new access token of the same user and session. Without it, what opened the socket is checked again.
    """

    name = "auth.refresh"
    refusals: ClassVar[Refusals] = {
        "unauthenticated": "the token, or the cookie, is not valid or not of the same user and session",
        "invalid": "the token is missing on a socket that was opened with one",
    }

    token: str | None = field(default=None, validator=optional(fields.text(1, TOKEN_MAX)), repr=False)

    async def handle(self, context: Context) -> RefreshResult:
        if context.socket is None or context.socket.refresh is None:
            raise Invalid("The access of this socket cannot be refreshed.")
        return RefreshResult(expires_in=await context.socket.refresh(self.token))
