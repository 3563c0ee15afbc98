"""Memberships that may have changed while no live room here saw it: the store is asked for them."""

from collections.abc import Callable, Mapping, Sequence

import anyio

from ..ids import RoomId, Seq, UserId
from ..ports.pushes import Push, RoomGone
from ..ports.room_views import RoomMembership
from ..ports.store import Store
from .live_sockets import LiveSocket, LiveUser, Subscription


class Memberships:
    """The users with sockets here whose membership in a room may have changed; ``subscribe`` is `Hub.subscribe`."""

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
        """Ask the store soon for the membership of ``user`` in ``room``, which may have changed."""
        if user in self._users:
            self._doubts[user, room] = None
            self._doubted.set()

    def connected(self, socket: LiveSocket) -> None:
        """Check the invitations that `ready` showed and that may have ended while it was read."""
        for room in sorted(socket.uninvited & socket.invited.keys()):
            self.doubt(socket.user, room)
        socket.uninvited.clear()

    async def check(self) -> None:
        """Wait for a membership in doubt, and ask the store for it."""
        while not self._doubts:
            self._doubted = anyio.Event()
            await self._doubted.wait()
        user, room = next(iter(self._doubts))
        # Before the read: a doubt that comes meanwhile may be of a change that the read does not see.
        del self._doubts[user, room]
        told = {socket: socket.invited[room] for socket in self._sockets(user) if room in socket.invited}
        try:
            rows = await self._store.memberships(user, room)
        except BaseException:
            self.doubt(user, room)
            raise
        for row in rows:
            self._admit(user, row)
        if not rows:
            self._end_invitations(user, room, told)

    def _admit(self, user: UserId, row: RoomMembership) -> None:
        """Subscribe a user's sockets from before the entry that made them a member or invited, unless they know."""
        since = row.member.since
        for socket in self._sockets(user):
            pushed = max(socket.gone.get(row.room, 0), socket.invited.get(row.room, 0))
            knows = pushed >= since or socket.will_hear(row.room, since)
            if not socket.note_join(row.room, since) and not knows:
                self._subscribe(row.room, Subscription(socket, since - 1, member=False), row.head)

    def _end_invitations(self, user: UserId, room: RoomId, told: Mapping[LiveSocket, Seq]) -> None:
        """Push the end of invitations that were ``told`` before the read that found none.

        An invitation that was pushed since may be newer than the read, or have ended: the store is asked again.
        """
        for socket in self._sockets(user):
            if socket.connecting:
                socket.uninvited.add(room)
            elif (invited := socket.invited.get(room)) is None:
                continue
            elif told.get(socket) == invited:
                del socket.invited[room]
                socket.connection.send(Push("room.gone", RoomGone(room)))
            else:
                self.doubt(user, room)

    def _sockets(self, user: UserId) -> Sequence[LiveSocket]:
        return tuple(self._users[user].sockets.values()) if user in self._users else ()
