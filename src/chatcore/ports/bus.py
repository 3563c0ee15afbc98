"""Hints between nodes. A lost, doubled or reordered hint costs latency, never data: the store is the truth."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from attrs import frozen

from ..domain.entries import Entry
from ..ids import RoomId, Seq, UserId


@frozen(kw_only=True)
class RoomHint:
    """That a room has reached ``seq``. ``affects`` is always there, ``entry`` only when it is small."""

    room: RoomId
    seq: Seq
    affects: tuple[UserId, ...] = ()
    entry: Entry | None = None


@frozen(kw_only=True)
class RevocationHint:
    """That these sockets (ids) may have been revoked: whoever has one asks the registry now, not at its next turn."""

    sockets: frozenset[str]


@frozen(kw_only=True)
class MarkerHint:
    """A change of a user's marker; ``everyone`` says whether it is pushed to the other members too.

    ``node`` is where that happened: it has told its own sockets, and the bus may bring it its own hints.
    """

    node: str
    room: RoomId
    user: UserId
    read: Seq
    delivered: Seq
    unread: int
    everyone: bool


Hint: TypeAlias = RoomHint | MarkerHint | RevocationHint


class Bus(ABC):
    """Carries hints to every node, the publishing one left out where that is easy."""

    @abstractmethod
    async def publish(self, hints: Sequence[Hint]) -> None:
        """Hand hints over, without waiting for anybody to have them. Raises `Unavailable`; they are lost then."""

    @abstractmethod
    def subscribe(self, receive: Callable[[Hint], None]) -> AbstractAsyncContextManager[None]:
        """While entered, every hint published anywhere is given to ``receive``, which neither blocks nor raises."""
