"""What is pushed to sockets, beside the entries themselves."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from ..domain.entries import Entry, Standing
from ..domain.state import RoomView
from ..ids import RoomId, Seq, UserId

ByeCode: TypeAlias = Literal["slow", "shutdown", "expired", "signed_out", "kicked", "protocol"]


@frozen(kw_only=True)
class Bye:
    """Why a socket ends; ``resumable`` says whether the client may come back by itself (protocol: "Connecting")."""

    code: ByeCode
    retry_after_ms: int | None = None

    @property
    def resumable(self) -> bool:
        return self.code in ("slow", "shutdown", "expired")


@frozen(kw_only=True)
class Room:
    """A room as ``user`` sees it. ``announced_at`` is set on the push ``room``: the seq before the entry that made the
    user a member, which the push shows as ``head``. ``duplicate`` is set on the answer of ``room.create``."""

    user: UserId
    epoch: str
    view: RoomView
    announced_at: Seq | None = None
    duplicate: bool | None = None

    @property
    def room(self) -> RoomId:
        return self.view.room

    @property
    def standing(self) -> Standing | None:
        return self.view.member.standing if self.view.member else None


@frozen
class RoomGone:
    """The user is not in the room any more, or no longer invited."""

    room: RoomId


@frozen(kw_only=True)
class MarkerPush:
    """How far a user has come in a room; ``unread`` is for the user alone."""

    room: RoomId
    user: UserId
    read: Seq
    delivered: Seq
    unread: int | None = None


@frozen
class Expiring:
    """The access that the socket was opened with ends in so many seconds."""

    expires_in: int


@frozen(kw_only=True)
class Ready:
    """The first push of a socket: who it is, and the user's most recent rooms at the heads from which it follows."""

    epoch: str
    user: UserId
    device: str
    socket: str
    node: str
    rooms: Sequence[Room]
    next: str | None = None
    expires_in: int | None = None
    protocol: Literal[1] = 1
    features: Sequence[str] = ()


PushBody: TypeAlias = Entry | Room | RoomGone | MarkerPush | Expiring | Ready | Bye


@define(eq=False)
class Push:
    """One event for clients. Never changed once made; shared by all its receivers, and encoded once for all of them.

    `chatcore.protocol.push_object` gives the wire form of ``body``.
    """

    event: str
    body: PushBody
    _encoded: dict[object, bytes] = field(factory=dict, init=False, repr=False)

    def encoded(self, encode: Callable[["Push"], bytes]) -> bytes:
        """This push as ``encode`` writes it, which is asked only once per push."""
        found = self._encoded.get(encode)
        if found is None:
            found = self._encoded[encode] = encode(self)
        return found
