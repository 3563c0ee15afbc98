"""The errors of the client."""

from .transport import Object


class ClientError(Exception):
    """A refusal of the server, or a command that the client gave up.

    Attributes:
        error: the error object: `{code, message, temporary, field?, retry_after_ms?}`, as in ``docs/protocol.md``.
    """

    def __init__(self, error: Object) -> None:
        super().__init__(error.get("message") or error.get("code", "The connection has ended."))
        self.error: Object = error

    @property
    def code(self) -> str:
        """The code of the error, such as `forbidden`."""
        return str(self.error.get("code", ""))

    @property
    def temporary(self) -> bool:
        """Whether the same command may succeed later."""
        return bool(self.error.get("temporary", False))


class SignedOut(ClientError):
    """The user has to sign in anew. Raised by a token function, it ends the client.

    Args:
        why: one sentence for people, or the error object of the server.
    """

    def __init__(self, why: str | Object = "The user has to sign in again.") -> None:
        super().__init__(
            {"code": "unauthenticated", "message": why, "temporary": False} if isinstance(why, str) else why
        )


class ClientEnded(ClientError):
    """The client does not connect any more: it was closed, or `status` says why it ended.

    Messages that are not sent stay in the store.
    """


CLOSED: Object = {"code": "closed", "message": "The client is closed.", "temporary": False}
"""The error of what is awaited when the program closes the client."""
