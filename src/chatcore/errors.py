"""The errors of the wire contract. Each has a stable code, and says whether a retry may succeed."""

from collections.abc import Mapping
from typing import ClassVar


class ChatError(Exception):
    """An error that is sent to a client.

    Attributes:
        code: a stable code (``docs/protocol.md``, "Errors").
        temporary: whether the same command with the same key may succeed later.
        message: one sentence for people. It contains no id, name or time from the command.
        field: the invalid top-level field (``invalid`` only).
        retry_after_ms: milliseconds after which to try again, if known.
    """

    code: ClassVar[str]
    temporary: ClassVar[bool] = False
    default_message: ClassVar[str]

    def __init__(
        self, message: str | None = None, *, field: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        self.message: str = message or self.default_message
        self.field = field
        self.retry_after_ms = retry_after_ms
        super().__init__(self.message)


class Invalid(ChatError):
    """A command that does not follow the protocol."""

    code = "invalid"
    default_message = "The command does not follow the protocol."


class FeedReset(Invalid):
    """A position of another history: the store was replaced or has lost entries. Read the feed from its beginning."""

    default_message = "The position is of another history of the store; forget what it led to, and begin with None."


class Unauthenticated(ChatError):
    """A missing or invalid access token."""

    code = "unauthenticated"
    default_message = "The access token is missing, wrong, expired or revoked; sign in again."


class Forbidden(ChatError):
    """A member without the right to an action."""

    code = "forbidden"
    default_message = "You are not allowed to do this in this room."


class NotFound(ChatError):
    """A room, message or user that does not exist, or that the user may not know of."""

    code = "not_found"
    default_message = "Not found, or you have no access."


class Conflict(ChatError):
    """A command that the present state does not allow, such as an edit of a stale version."""

    code = "conflict"
    default_message = "This user name is taken."


class KeyReused(ChatError):
    """An idempotency key that an earlier command used with other content."""

    code = "key_reused"
    default_message = "This key was already used in this room with different content; use a new key."


class TooLarge(ChatError):
    """A frame or body above 64 KiB."""

    code = "too_large"
    default_message = "The frame or body is larger than 64 KiB."


class RateLimited(ChatError):
    """A command above a rate limit."""

    code = "rate_limited"
    temporary = True
    default_message = "Too many requests; wait and try again."


class Internal(ChatError):
    """A defect of the server or an exception of the host's code; the log has it."""

    code = "internal"
    temporary = True
    default_message = "Internal error; repeat the command with the same key."


class Unavailable(ChatError):
    """A store or another service that cannot be reached; the outcome of an append is unknown."""

    code = "unavailable"
    temporary = True
    default_message = "The store is unavailable; repeat the command with the same key."


ERRORS: Mapping[str, type[ChatError]] = {
    error.code: error
    for error in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        KeyReused,
        TooLarge,
        RateLimited,
        Internal,
        Unavailable,
    )
}
"""All errors, by their codes."""


class StoreError(Exception):
    """A store, a folder or a server cannot be opened. The text is one sentence for the operator: what, where, why."""
