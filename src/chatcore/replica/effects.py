"""The effects of a `Replica`: what its caller has to do, and what the client has learned."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import frozen

from ..ids import RoomId, Seq, UserId

Object: TypeAlias = dict[str, Any]
"""A JSON object of the wire."""


@frozen
class SendCommand:
    """Send this command, and pass its answer to `Replica.answered` with the same number."""

    number: int
    event: str
    data: Object


@frozen
class Entries:
    """Entries that the client lacked, in ascending order. Messages are in their state as of the seq ``as_of``."""

    room: RoomId
    entries: Sequence[Object]
    as_of: Seq


@frozen
class RoomFields:
    """Fields of a Room object from the server. They replace the fields of the same names that the client has."""

    room: RoomId
    fields: Object


@frozen
class Forget:
    """Drop everything about this room: the user is neither member nor invited, or its log begins anew."""

    room: RoomId


@frozen
class Typists:
    """The users who type in a room now, in place of those that the client knew."""

    room: RoomId
    users: Sequence[UserId]


@frozen
class Settled:
    """The final answer to a command of the user.

    Attributes:
        answer: None if the connection broke before an answer, and the command has no key with which to repeat it.
    """

    number: int
    answer: Object | None


@frozen
class Missed:
    """The server did not push the seqs from ``first`` to ``last``, which is a fault of the server. They are paged."""

    room: RoomId
    first: Seq
    last: Seq


@frozen
class Wait:
    """A command failed temporarily: call `Replica.retry` once, after ``ms`` milliseconds."""

    ms: int


Effect: TypeAlias = SendCommand | Entries | RoomFields | Forget | Typists | Settled | Missed | Wait
Effects: TypeAlias = list[Effect]
