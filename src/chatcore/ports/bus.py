"""The port that carries hints between nodes.

A lost, repeated or reordered hint costs latency, never data: the store is the truth.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from attrs import frozen

from ..domain.entries import Entry
from ..ids import RoomId, Seq, UserId


@frozen(kw_only=True)
class RoomHint:
    """The room has reached ``seq``.

    Attributes:
        affects: the users to whom the entry at ``seq`` gave another membership. Always complete.
        entry: the entry at ``seq`` if it is small, else None.
    """

    room: RoomId
    seq: Seq
    affects: tuple[UserId, ...] = ()
    entry: Entry | None = None


@frozen(kw_only=True)
class RevocationHint:
    """Sockets with these ids may have been revoked.

    A node that has one of them asks the registry at once, before its next renewal.
    """

    sockets: frozenset[str]


@frozen(kw_only=True)
class MarkerHint:
    """A user's marker changed.

    Attributes:
        node: the node on which the marker changed. It has pushed the marker to its own sockets, and ignores its own
            hints, which the bus may return to it.
        everyone: whether the marker is also pushed to the other members.
    """

    node: str
    room: RoomId
    user: UserId
    read: Seq
    delivered: Seq
    unread: int
    everyone: bool


@frozen(kw_only=True)
class BlockHint:
    """``user`` has blocked ``other``. A node forgets what it remembers of their private room."""

    user: UserId
    other: UserId


@frozen(kw_only=True)
class TypingHint:
    """A user types in a room, still types there, or has ended. A lost end costs 6 s: each node ends typing by itself.

    Attributes:
        node: the node on which the user types. It ignores its own hints, which the bus may return to it.
        on: whether the user types.
        number: grows from hint to hint of the node. A hint that comes after a later one about the user is ignored.
    """

    node: str
    room: RoomId
    user: UserId
    on: bool
    number: int


@frozen(kw_only=True)
class PresenceHint:
    """Sockets of ``users`` were opened on ``node``, or their clients have said whether the users are away."""

    node: str
    users: frozenset[UserId]


Hint: TypeAlias = RoomHint | MarkerHint | RevocationHint | BlockHint | TypingHint | PresenceHint


class Bus(ABC):
    """Carries hints to all nodes. The publishing node may get its own hints too."""

    @abstractmethod
    async def publish(self, hints: Sequence[Hint]) -> None:
        """Publish hints without waiting for a receiver. Raises `Unavailable`; the hints are lost then."""

    @abstractmethod
    def subscribe(self, receive: Callable[[Hint], None]) -> AbstractAsyncContextManager[None]:
        """Return a context manager that calls ``receive`` for every hint of all nodes while it is entered.

        ``receive`` neither blocks nor raises.
        """
