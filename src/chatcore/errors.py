"""The errors of the wire contract: each has a stable code, and says whether trying again may help."""

from typing import ClassVar


class ChatError(Exception):
    """A refusal that a client is told.

    Attributes:
        code: stable, one of the contract's table.
        temporary: the same command with the same key may succeed later.
        message: one sentence for people; it repeats no id, name or time that was asked for.
        field: the top-level field that is wrong (``invalid`` only).
        retry_after_ms: when to try again, where that is known.
    """

    code: ClassVar[str]
    temporary: ClassVar[bool] = False
    default_message: ClassVar[str]

    def __init__(
        self, message: str | None = None, *, field: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        self.message = message or self.default_message
        self.field = field
        self.retry_after_ms = retry_after_ms
        super().__init__(self.message)


class Invalid(ChatError):
    code = "invalid"
    default_message = "The command does not follow the protocol."


class Unauthenticated(ChatError):
    code = "unauthenticated"
    default_message = "The access token is missing, wrong, expired or revoked; sign in again."


class Forbidden(ChatError):
    code = "forbidden"
    default_message = "You are not allowed to do this in this room."


class NotFound(ChatError):
    code = "not_found"
    default_message = "Not found, or you have no access."


class Conflict(ChatError):
    code = "conflict"
    default_message = "This user name is taken."


class KeyReused(ChatError):
    code = "key_reused"
    default_message = "This key was already used in this room with different content; use a new key."


class TooLarge(ChatError):
    code = "too_large"
    default_message = "The frame or body is larger than 64 KiB."


class RateLimited(ChatError):
    code = "rate_limited"
    temporary = True
    default_message = "Too many requests; wait and try again."


class Internal(ChatError):
    code = "internal"
    temporary = True
    default_message = "Internal error; repeat the command with the same key."


class Unavailable(ChatError):
    code = "unavailable"
    temporary = True
    default_message = "The store is unavailable; repeat the command with the same key."


class StoreError(Exception):
    """A store, a folder or a server can't be opened. The text is one sentence for the operator: what, where, why."""
