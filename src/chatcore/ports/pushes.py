"""Pushes to sockets, and their bodies other than entries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from ..domain.entries import Entry, MembershipState
from ..domain.presence import PresenceState
from ..domain.state import RoomView
from ..ids import RoomId, Seq, UserId

ByeCode: TypeAlias = Literal["slow", "shutdown", "expired", "signed_out", "kicked", "protocol"]

_CLOSE_CODES: Mapping[ByeCode, int] = {
    "slow": 1013,  # try again later
    "shutdown": 1001,  # going away
    "expired": 1001,
    "signed_out": 1000,
    "kicked": 1000,
    "protocol": 1002,
}


@frozen(kw_only=True)
class Bye:
    """The last push: why a socket ends (``docs/protocol.md``, "Connecting")."""

    code: ByeCode
    retry_after_ms: int | None = None

    @property
    def resumable(self) -> bool:
        """Whether the client may connect again by itself."""
        return self.code in ("slow", "shutdown", "expired")

    @property
    def close_code(self) -> int:
        """The close code of a WebSocket that ends with this push (RFC 6455, section 7.4.1)."""
        return _CLOSE_CODES[self.code]


@frozen(kw_only=True)
class Room:
    """A room as ``user`` sees it, in a push, a list or an answer.

    Attributes:
        announced_at: the seq before the entry that made the user a member, which is the ``head`` of the push ``room``;
            None in all other cases.
        duplicate: set in the answer of ``room.create`` only.
    """

    user: UserId
    epoch: str
    view: RoomView
    announced_at: Seq | None = None
    duplicate: bool | None = None

    @property
    def room(self) -> RoomId:
        return self.view.room

    @property
    def state(self) -> MembershipState | None:
        return self.view.member.state if self.view.member else None


@frozen
class RoomGone:
    """The user is no longer a member, or no longer invited."""

    room: RoomId


@frozen(kw_only=True)
class MarkerPush:
    """The marker of a user in a room. Only the user's own sockets get ``unread``."""

    room: RoomId
    user: UserId
    read: Seq
    delivered: Seq
    unread: int | None = None


@frozen(kw_only=True)
class TypingPush:
    """Who types in a room now, in the order in which they began: at most 5 users. It replaces what was pushed before.

    A socket never gets its own user, nor a user who has blocked, or is blocked by, its user.
    """

    room: RoomId
    users: Sequence[UserId]


@frozen(kw_only=True)
class PresencePush:
    """The presence of a user whom the socket watches. ``last_seen`` is the end of the user's last socket."""

    user: UserId
    state: PresenceState
    last_seen: datetime | None = None


@frozen
class Expiring:
    """The socket's access ends in ``expires_in`` seconds."""

    expires_in: int


@frozen(kw_only=True)
class Ready:
    """The first push of a socket.

    Attributes:
        socket: the id of the socket.
        node: the id of the node.
        rooms: the user's most recent rooms. A member's socket gets every entry above these heads.
        next: the page token of the user's further rooms; None if there are none.
        expires_in: seconds until the socket's access ends; None if it does not end.
    """

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


PushBody: TypeAlias = Entry | Room | RoomGone | MarkerPush | TypingPush | PresencePush | Expiring | Ready | Bye


@define(eq=False)
class Push:
    """An event for clients. It is immutable, shared by all its receivers, and encoded once for all of them.

    `chatcore.protocol.push_object` returns the wire object of ``body``.
    """

    event: str
    body: PushBody
    _encoded: dict[object, bytes] = field(factory=dict, init=False, repr=False)

    def encoded(self, encode: Callable[["Push"], bytes]) -> bytes:
        """Return the push as ``encode`` writes it. ``encode`` is called once per push."""
        encoded = self._encoded.get(encode)
        if encoded is None:
            encoded = self._encoded[encode] = encode(self)
        return encoded
