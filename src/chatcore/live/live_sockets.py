"""A user's sockets on this node, and the joins that are noted while a socket can't follow yet."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import define, field

from ..ids import RoomId, Seq, UserId
from ..ports.connection import Connection

if TYPE_CHECKING:
    from .room import LiveRoom


@define(eq=False)
class LiveSocket:
    """One socket: its connection, and the rooms it follows.

    While it connects, and for the rooms named by a `sync` under way, it follows nothing new: joins are noted, and
    whoever holds it up follows them afterwards.
    """

    connection: Connection
    user: UserId
    refresh: Callable[[str], Awaitable[int | None]] | None = None
    """Lengthens the socket's access by a token, and gives the seconds left. Raises `Unauthenticated`."""
    connecting: bool = True
    ended: bool = False
    syncing: set[RoomId] = field(factory=set)
    noted: dict[RoomId, Seq] = field(factory=dict)
    rooms: dict[RoomId, "LiveRoom"] = field(factory=dict)
    invited: dict[RoomId, Seq] = field(factory=dict)
    """The rooms it was told an invitation to, and at which seq; 0 where a `sync` has made it forget since."""
    uninvited: set[RoomId] = field(factory=set)
    """The rooms it was found not to be invited to while it connected."""
    gone: dict[RoomId, Seq] = field(factory=dict)
    """The rooms it was told to be out of, and since which seq."""

    def note_join(self, room: RoomId, seq: Seq) -> bool:
        """Whether the join has been noted for later; False when the socket may follow the room now."""
        held = self.connecting or room in self.syncing
        if held:
            self.noted[room] = max(seq, self.noted.get(room, 0))
        return held


@define(eq=False)
class LiveUser:
    """A user with sockets on this node. There is one object per user, found by the `Hub`."""

    user: UserId
    sockets: dict[str, LiveSocket] = field(factory=dict)
