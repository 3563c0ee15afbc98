"""A user's sockets on this node, and their subscriptions to rooms."""

from collections.abc import Awaitable, Callable

from attrs import define, field

from ..ids import RoomId, Seq, UserId
from ..ports.connection import Connection
from .in_flight import InFlight


@define(eq=False)
class LiveSocket:
    """A socket: its connection, and its subscriptions.

    While it connects, and for the rooms of a `sync` that is running, it gets no new subscription: joins are noted, and
    lead to subscriptions afterwards.
    """

    connection: Connection
    user: UserId
    in_flight: InFlight
    """Its commands that are not answered."""
    refresh: Callable[[str], Awaitable[int | None]] | None = None
    """Extends the socket's access by a token, and returns the seconds left. Raises `Unauthenticated`."""
    connecting: bool = True
    ended: bool = False
    syncing: set[RoomId] = field(factory=set)
    noted: dict[RoomId, Seq] = field(factory=dict)
    subscriptions: dict[RoomId, "Subscription"] = field(factory=dict)
    invited: dict[RoomId, Seq] = field(factory=dict)
    """The rooms of which an invitation was pushed, and its seq; 0 where a `sync` has made the client drop it since."""
    uninvited: set[RoomId] = field(factory=set)
    """The rooms to which the store knew no invitation while the socket connected."""
    gone: dict[RoomId, Seq] = field(factory=dict)
    """The rooms of which `room.gone` was pushed, and at which seq."""

    def note_join(self, room: RoomId, seq: Seq) -> bool:
        """Return whether the join was noted for later; False where the socket may have a subscription now."""
        held = self.connecting or room in self.syncing
        if held:
            self.noted[room] = max(seq, self.noted.get(room, 0))
        return held

    def will_hear(self, room: RoomId, since: Seq) -> bool:
        """Return whether a subscription has told or will tell the socket of its user's membership at ``since``.

        The subscription of a user who is not a member any more may stand behind ``since``.
        """
        subscription = self.subscriptions.get(room)
        return subscription is not None and (subscription.member or subscription.seq < since)


@define(eq=False)
class Subscription:
    """A socket's place in a room's log: every entry above it is pushed.

    Attributes:
        seq: the last entry that the socket has, or needs not have.
        member: whether the user is a member as of ``seq``.
    """

    socket: LiveSocket
    seq: Seq
    member: bool


@define(eq=False)
class LiveUser:
    """A user with sockets on this node. There is one object per user, found by the `Hub`."""

    user: UserId
    sockets: dict[str, LiveSocket] = field(factory=dict)
