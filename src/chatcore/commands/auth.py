"""Keeping a socket open beyond the token that it was opened with."""

from attrs import field, frozen

from ..errors import Invalid
from . import fields
from .command import Context, ReadingCommand

TOKEN_MAX = 16_384


@frozen(kw_only=True)
class RefreshResult:
    """How many seconds the socket's access lasts now; None where it has no end."""

    expires_in: int | None


@frozen(kw_only=True)
class RefreshAuth(ReadingCommand[RefreshResult]):
    """Give this socket a new access token, of the same user and session."""

    name = "auth.refresh"

    token: str = field(validator=fields.text(1, TOKEN_MAX), repr=False)

    async def handle(self, context: Context) -> RefreshResult:
        if context.socket is None or context.socket.refresh is None:
            raise Invalid("This socket was opened without a token, so there is none to refresh.")
        return RefreshResult(expires_in=await context.socket.refresh(self.token))
