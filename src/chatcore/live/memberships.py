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
        self._unchecked: dict[tuple[UserId, RoomId], None] = {}
        self._requested = anyio.Event()

    def check_soon(self, user: UserId, room: RoomId) -> None:
        """Let `check` ask the store for the membership of ``user`` in ``room``, which may have changed."""
        if user in self._users:
            self._unchecked[user, room] = None
            self._requested.set()

    def check_invitations(self, socket: LiveSocket) -> None:
        """Let `check` ask for the invitations that `ready` showed: they may have ended while it was read."""
        for room in sorted(socket.without_membership & socket.invited.keys()):
            self.check_soon(socket.user, room)
        socket.without_membership.clear()

    async def check(self) -> None:
        """Wait for a membership to check, and ask the store for it. Raises `Unavailable`."""
        while not self._unchecked:
            self._requested = anyio.Event()
            await self._requested.wait()
        user, room = next(iter(self._unchecked))
        # Before the read: a later request may be about a change that the read does not see.
        del self._unchecked[user, room]
        invitations = {socket: socket.invited[room] for socket in self._sockets(user) if room in socket.invited}
        try:
            rows = await self._store.memberships(user, room)
        except BaseException:
            self.check_soon(user, room)
            raise
        for row in rows:
            self._admit(user, row)
        if not rows:
            self._end_invitations(user, room, invitations)

    def _admit(self, user: UserId, row: RoomMembership) -> None:
        """Subscribe a user's sockets below the entry that made the user a member or invited, unless it was pushed."""
        since = row.member.since
        for socket in self._sockets(user):
            pushed = max(socket.gone_pushed.get(row.room, 0), socket.invited.get(row.room, 0))
            is_pushed = pushed >= since or socket.pushes_membership(row.room, since)
            if not socket.defer_join(row.room, since) and not is_pushed:
                self._subscribe(row.room, Subscription(socket, since - 1, member=False), row.head)

    def _end_invitations(self, user: UserId, room: RoomId, invitations: Mapping[LiveSocket, Seq]) -> None:
        """Push the end of ``invitations``, which were pushed before the read that found no membership.

        An invitation that was pushed since then may be newer than the read, or have ended: the store is asked again.
        """
        for socket in self._sockets(user):
            if socket.connecting:
                socket.without_membership.add(room)
            elif (invited := socket.invited.get(room)) is None:
                continue
            elif invitations.get(socket) == invited:
                del socket.invited[room]
                socket.connection.send(Push("room.gone", RoomGone(room)))
            else:
                self.check_soon(user, room)

    def _sockets(self, user: UserId) -> Sequence[LiveSocket]:
        return tuple(self._users[user].sockets.values()) if user in self._users else ()
