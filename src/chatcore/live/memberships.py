"""Checks memberships that may have changed without a live room on this node."""

from collections.abc import Callable, Mapping, Sequence

import anyio

from ..ids import RoomId, Seq, UserId
from ..ports.pushes import Push, RoomGone
from ..ports.room_views import RoomMembership
from ..ports.store import Store
from .live_sockets import LiveSocket, LiveUser, Subscription


class Memberships:
    """Asks the store for memberships that may have changed, then subscribes sockets or ends invitations.

    Args:
        users: the users with sockets on this node.
        subscribe: `Hub.subscribe`.
    """

    def __init__(
        self,
        store: Store,
        users: Mapping[UserId, LiveUser],
        subscribe: Callable[[RoomId, Subscription, Seq], None],
    ) -> None:
        self._store = store
        self._users = users
        self._subscribe = subscribe
        self._doubts: dict[tuple[UserId, RoomId], None] = {}
        self._doubted = anyio.Event()

    def doubt(self, user: UserId, room: RoomId) -> None:
        """Let `check` ask the store for the membership of ``user`` in ``room``, which may have changed."""
        if user in self._users:
            self._doubts[user, room] = None
            self._doubted.set()

    def connected(self, socket: LiveSocket) -> None:
        """Doubt the invitations that `ready` showed and that may have ended while it was read."""
        for room in sorted(socket.uninvited & socket.invited.keys()):
            self.doubt(socket.user, room)
        socket.uninvited.clear()

    async def check(self) -> None:
        """Wait for a membership in doubt, and ask the store for it. Raises `Unavailable`."""
        while not self._doubts:
            self._doubted = anyio.Event()
            await self._doubted.wait()
        user, room = next(iter(self._doubts))
        # Before the read: a later doubt may be about a change that the read does not see.
        del self._doubts[user, room]
        invitations = {socket: socket.invited[room] for socket in self._sockets(user) if room in socket.invited}
        try:
            rows = await self._store.memberships(user, room)
        except BaseException:
            self.doubt(user, room)
            raise
        for row in rows:
            self._admit(user, row)
        if not rows:
            self._end_invitations(user, room, invitations)

    def _admit(self, user: UserId, row: RoomMembership) -> None:
        """Subscribe a user's sockets below the entry that made the user a member or invited, unless it was pushed."""
        since = row.member.since
        for socket in self._sockets(user):
            pushed = max(socket.gone.get(row.room, 0), socket.invited.get(row.room, 0))
            is_pushed = pushed >= since or socket.will_hear(row.room, since)
            if not socket.note_join(row.room, since) and not is_pushed:
                self._subscribe(row.room, Subscription(socket, since - 1, member=False), row.head)

    def _end_invitations(self, user: UserId, room: RoomId, invitations: Mapping[LiveSocket, Seq]) -> None:
        """Push the end of ``invitations``, which were pushed before the read that found no membership.

        An invitation that was pushed since then may be newer than the read, or have ended: the store is asked again.
        """
        for socket in self._sockets(user):
            if socket.connecting:
                socket.uninvited.add(room)
            elif (invited := socket.invited.get(room)) is None:
                continue
            elif invitations.get(socket) == invited:
                del socket.invited[room]
                socket.connection.send(Push("room.gone", RoomGone(room)))
            else:
                self.doubt(user, room)

    def _sockets(self, user: UserId) -> Sequence[LiveSocket]:
        return tuple(self._users[user].sockets.values()) if user in self._users else ()
