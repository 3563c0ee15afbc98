"""What a client has to do, and what it has learned: the effects of a `Replica`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import frozen

from ..ids import RoomId, Seq

Object: TypeAlias = dict[str, Any]


@frozen
class Ask:
    """Send this command, and give its answer to `Replica.answered` with the same number."""

    number: int
    event: str
    data: Object


@frozen
class Entries:
    """Entries that were lacking, ascending; messages among them are in their state as of the seq ``as_of``."""

    room: RoomId
    entries: Sequence[Object]
    as_of: Seq


@frozen
class Shown:
    """What the server says of a room beside its entries: fields of its Room, to be laid over those shown before."""

    room: RoomId
    fields: Object


@frozen
class Forget:
    """Nothing of this room holds any more: the user is neither member nor invited, or its log begins anew."""

    room: RoomId


@frozen
class Settled:
    """A command of the user's came to an answer; to None when its line broke and it has no key to be repeated with."""

    number: int
    answer: Object | None


@frozen
class Missed:
    """The server passed over these seqs, first and last, of a room. They are paged; it should not have happened."""

    room: RoomId
    first: Seq
    last: Seq


@frozen
class Wait:
    """Something failed for now: call `Replica.retry` once, after so many milliseconds."""

    ms: int


Effect: TypeAlias = Ask | Entries | Shown | Forget | Settled | Missed | Wait
Effects: TypeAlias = list[Effect]
