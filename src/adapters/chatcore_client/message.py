"""A message as it is shown."""

from collections.abc import Awaitable, Generator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from attrs import field, frozen

from .transport import Object

State: TypeAlias = Literal["sent", "sending", "failed"]


class Delivery(Protocol):
    """What becomes of a message of this client."""

    async def wait(self) -> int:
        """Return the seq of the message's entry. Raises `ClientError` if it was refused, or is given up."""
        raise NotImplementedError

    def retry(self) -> None: ...

    def discard(self) -> None: ...


class Done(Awaitable[int]):
    """Is awaited for the seq of a message's entry."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __await__(self) -> Generator[Any, None, int]:
        return self._delivery.wait().__await__()


@frozen(eq=False)
class Message:
    """One entry of a room, or a message that is not sent yet, in its present state. It never changes.

    Attributes:
        fields: all fields of the entry, of which the properties below are the usual ones. Do not change it.
    """

    fields: Mapping[str, Any]
    _delivery: Delivery = field(repr=False)

    @property
    def state(self) -> State:
        """`sent`, `sending`, or `failed`: then `error` says why, and `retry` and `discard` help."""
        state: State = self.fields["state"]
        return state

    @property
    def kind(self) -> str:
        """`message`, or the kind of another entry, such as `joined`."""
        return str(self.fields["kind"])

    @property
    def seq(self) -> int | None:
        """The position in the room; None for what is not sent yet."""
        return self.fields.get("seq")

    @property
    def at(self) -> str | None:
        """When it was sent, for display only (RFC 3339); None for what is not sent yet."""
        return self.fields.get("at")

    @property
    def author(self) -> str | None:
        """Who sent it. None for an own message that is not sent yet, before the first connection."""
        return self.fields.get("author")

    @property
    def key(self) -> str | None:
        return self.fields.get("key")

    @property
    def body(self) -> str | None:
        """The text; None for a deleted message and for other entries."""
        return self.fields.get("body")

    @property
    def data(self) -> Object | None:
        return self.fields.get("data")

    @property
    def reply_to(self) -> int | None:
        """The seq of the message that this one replies to."""
        return self.fields.get("reply_to")

    @property
    def mentions(self) -> Sequence[str]:
        mentions: Sequence[str] = self.fields.get("mentions", ())
        return mentions

    @property
    def version(self) -> int:
        return int(self.fields.get("version", 1))

    @property
    def edited_at(self) -> str | None:
        return self.fields.get("edited_at")

    @property
    def deleted(self) -> bool:
        return bool(self.fields.get("deleted", False))

    @property
    def reactions(self) -> Mapping[str, Object]:
        """`{emoji: {count, users}}`."""
        reactions: Mapping[str, Object] = self.fields.get("reactions", {})
        return reactions

    @property
    def error(self) -> Object | None:
        """Why it failed: the error object of the server."""
        return self.fields.get("error")

    @property
    def done(self) -> Awaitable[int]:
        """Await it for the seq of the message's entry. Raises `ClientError` if the message was refused or discarded."""
        return Done(self._delivery)

    def retry(self) -> None:
        """Send a failed message again, with its key. Nothing happens to any other message."""
        self._delivery.retry()

    def discard(self) -> None:
        """Drop a failed message. Nothing happens to any other message."""
        self._delivery.discard()
