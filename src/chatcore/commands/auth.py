"""The command that extends a socket's access with a new access token."""

from attrs import field, frozen

from ..errors import Invalid
from . import fields
from .command import Context, ReadingCommand

TOKEN_MAX = 16_384


@frozen(kw_only=True)
class RefreshResult:
    """The answer of `RefreshAuth`: the seconds until the socket's access ends, None if it does not end."""

    expires_in: int | None


@frozen(kw_only=True)
class RefreshAuth(ReadingCommand[RefreshResult]):
    """Extend this socket's access with a new access token of the same user and session."""

    name = "auth.refresh"

    token: str = field(validator=fields.text(1, TOKEN_MAX), repr=False)

    async def handle(self, context: Context) -> RefreshResult:
        if context.socket is None or context.socket.refresh is None:
            raise Invalid("This socket was opened without a token, so there is none to refresh.")
        return RefreshResult(expires_in=await context.socket.refresh(self.token))
