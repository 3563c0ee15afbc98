"""A user's sockets on this node, and their subscriptions to rooms."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from ..ids import RoomId, Seq, UserId
from ..ports.connection import Connection
from .in_flight import InFlight


@define(eq=False)
class LiveSocket:
    """A socket of a user: its connection and its subscriptions.

    A socket gets no new subscription while it connects, nor to the rooms of a running `sync`. Joins are deferred
    then, and lead to subscriptions afterwards.
    """

    connection: Connection
    user: UserId
    in_flight: InFlight
    """Counts the socket's commands that are not answered."""
    refresh: Callable[[str | None], Awaitable[int | None]] | None = None
    """Extends the socket's access with a token. Returns the seconds left, or None. Raises `Unauthenticated`."""
    away: bool = False
    """Whether the client has said that its user is away."""
    note_away: Callable[[bool], None] | None = None
    """Tells the registry of sockets that ``away`` has changed."""
    connecting: bool = True
    ended: bool = False
    syncing_rooms: set[RoomId] = field(factory=set)
    """The rooms of a running `sync`."""
    deferred_joins: dict[RoomId, Seq] = field(factory=dict)
    """The rooms to which a join was deferred, and the seq of the join."""
    subscriptions: dict[RoomId, "Subscription"] = field(factory=dict)
    invited: dict[RoomId, Seq] = field(factory=dict)
    """The rooms to which an invitation was pushed, and its seq; 0 if the client has dropped it after a `sync`."""
    without_membership: set[RoomId] = field(factory=set)
    """The rooms for which the store had no membership while the socket connected."""
    gone_pushed: dict[RoomId, Seq] = field(factory=dict)
    """The rooms for which `room.gone` was pushed, and the seq of its entry."""

    def defer_join(self, room: RoomId, seq: Seq) -> bool:
        """Defer a join if the socket gets no subscription now. Returns whether the join was deferred."""
        is_held = self.connecting or room in self.syncing_rooms
        if is_held:
            self.deferred_joins[room] = max(seq, self.deferred_joins.get(room, 0))
        return is_held

    def pushes_membership(self, room: RoomId, since: Seq) -> bool:
        """Return whether the room's subscription has pushed or will push the membership that began at ``since``.

        The subscription of a user who is no longer a member may already be past ``since``.
        """
        subscription = self.subscriptions.get(room)
        return subscription is not None and (subscription.member or subscription.seq < since)


@define(eq=False)
class Subscription:
    """A socket's place in a room's log: every entry above it is pushed.

    Attributes:
        seq: the seq up to which nothing is left to push.
        member: whether the user is a member as of ``seq``.
        typists: the users who type, as the socket has been pushed last.
        number: grows from subscription to subscription of the room.
    """

    socket: LiveSocket
    seq: Seq
    member: bool
    typists: Sequence[UserId] = ()
    number: int = 0


@define(eq=False)
class LiveUser:
    """A user with sockets on this node. The `Hub` has one object per user."""

    user: UserId
    sockets: dict[str, LiveSocket] = field(factory=dict)
