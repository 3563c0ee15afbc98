"""The hub: the rooms and users that are alive on this node, each found by its id."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ..domain.decider import Rules
from ..domain.entries import Entry
from ..domain.state import RoomView
from ..errors import ChatError, Unavailable
from ..ids import RoomId, Seq, UserId
from ..ports.bus import MarkerHint
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .background import Background
from .command_queue import PendingCommand
from .command_timeouts import CommandTimeouts
from .live_sockets import LiveSocket, LiveUser
from .marker_pushes import MarkerDelivery, MarkerPushes
from .memberships import Memberships
from .pushes import MarkerPush
from .recent_heads import RecentHeads
from .room import LiveRoom
from .room_context import RoomContext
from .subscriptions import RoomPosition


class Hub:
    """Finds the one `LiveRoom` of a room and the one `LiveUser` of a user.

    A room is reached only by using it (`submit`, `follow`): one that was fetched and not used would stay as a ghost.
    """

    def __init__(
        self,
        store: Store,
        background: Background,
        *,
        node: str,
        now: Callable[[], datetime],
        publish: Callable[[Sequence[Entry]], None],
        publish_marker: Callable[[MarkerHint], None],
        directory: UserDirectory | None,
        rules: Rules,
        uniform: Callable[[float, float], float],
        room_refusal: Callable[[RoomId], ChatError | None],
    ) -> None:
        self.open = False
        """While False nothing new is taken: there are no tasks that would carry it out, or they are being ended."""
        self._rooms: dict[RoomId, LiveRoom] = {}
        self._users: dict[UserId, LiveUser] = {}
        self._recent = RecentHeads()
        self.timeouts = CommandTimeouts()
        self.memberships = Memberships(store, self._users, self.follow)
        self._around = RoomContext(
            store=store,
            users=self._users,
            now=now,
            start=background.start,
            publish=publish,
            idle=self._drop,
            directory=directory,
            rules=rules,
            uniform=uniform,
            room_refusal=room_refusal,
        )
        self.markers = MarkerPushes(background, node, self._rooms, publish_marker)

    def submit(self, room: RoomId, waiting: PendingCommand) -> None:
        """Queue a command at its room."""
        if self.open:
            live = self._room(room)
            live.submit(waiting)
            self.timeouts.watch(live)
        else:
            waiting.answer(Unavailable())

    def has_queued(self, room: RoomId, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is queued at ``room`` and not answered."""
        live = self._rooms.get(room)
        return live is not None and live.has_queued(socket)

    def follow(self, socket: LiveSocket, room: RoomId, place: RoomPosition, known: Seq) -> None:
        """Let a socket follow a room; see `LiveRoom.follow`. Nothing happens when the socket has ended meanwhile."""
        if self.open and not socket.ended:
            self._room(room).follow(socket, place, max(known, self._recent.seq(room)))

    def enter(self, socket: LiveSocket) -> None:
        """From here on the socket is one of its user's: joins are noted for it until it is connected."""
        user = self._users.setdefault(socket.user, LiveUser(socket.user))
        user.sockets[socket.connection.id] = socket

    def leave(self, socket: LiveSocket) -> None:
        """The socket has ended."""
        socket.ended = True
        user = self._users[socket.user]
        del user.sockets[socket.connection.id]
        if not user.sockets:
            del self._users[socket.user]
        for room in tuple(socket.rooms.values()):
            room.unfollow(socket)

    def hold(self, socket: LiveSocket, rooms: Collection[RoomId]) -> Mapping[RoomId, RoomPosition]:
        """Stop following ``rooms``, and only note joins in them, until `release`; the places where it stood."""
        socket.syncing.update(rooms)
        held = {room: socket.rooms[room].unfollow(socket) for room in rooms if room in socket.rooms}
        for room, place in held.items():
            if not place.member:
                # Who is no member stands before what makes them one, or invites them: a `sync` does not say the latter.
                socket.note_join(room, place.after + 1)
        return held

    def release(self, socket: LiveSocket, rooms: Collection[RoomId], places: Mapping[RoomId, RoomPosition]) -> None:
        """Follow ``rooms`` from ``places``, and those of them that have none from the join that was noted, if any."""
        socket.syncing.difference_update(rooms)
        for room in rooms:
            noted = socket.noted.pop(room, 0)
            if place := places.get(room):
                self.follow(socket, room, place, known=noted)
            elif noted:
                self.follow(socket, room, RoomPosition(noted - 1, member=False), known=noted)

    def synced(
        self,
        socket: LiveSocket,
        rooms: Collection[RoomId],
        held: Mapping[RoomId, RoomPosition],
        places: Mapping[RoomId, RoomPosition],
    ) -> None:
        """Release ``rooms`` after the answer of a `sync`, until which those of ``held`` were followed.

        Of an invitation the answer says `gone`, and what was pushed before it the client has dropped: so where the
        invitation still stands, or came where the socket did not follow any more, it is told again; and where it does
        not, its end, for the client may have asked for the room meanwhile.
        """
        self.release(socket, rooms, places)
        for room in rooms:
            if room in places:
                socket.invited.pop(room, None)
            elif room in socket.invited or room in held:
                if room in socket.invited:
                    socket.invited[room] = 0
                self.memberships.doubt(socket.user, room)

    def connected(self, socket: LiveSocket, places: Mapping[RoomId, RoomPosition]) -> None:
        """The socket's first following: of its user's rooms as they were read, and of what was joined meanwhile."""
        socket.connecting = False
        self.release(socket, list(dict.fromkeys((*places, *socket.noted))), places)
        self.memberships.connected(socket)

    def abandon(self) -> None:
        """No task runs any more: answer whatever still waits, so that nobody waits for ever."""
        for room in tuple(self._rooms.values()):
            room.fail(Unavailable())

    def told(self, room: RoomId, seq: Seq, affects: Sequence[UserId], entry: Entry | None = None) -> None:
        """A hint, or the sweep, says that ``room`` has reached ``seq``, where the membership of ``affects`` changed."""
        if not self.open:
            return
        live = self._rooms.get(room)
        if live is not None:
            live.raise_known(seq, entry)
        else:
            self._recent.note(room, seq)
        if live is None or live.started is None or seq <= live.started:
            for user in affects:
                self.memberships.doubt(user, room)

    def marks(self, user: UserId, view: RoomView) -> None:
        """A user is about to change their marker, which stands as ``view`` shows it."""
        if view.marker is not None:
            self.markers.begin(view.room, user, (view.marker.read, view.marker.delivered))

    def marked(self, user: UserId, view: RoomView, by: LiveSocket | None) -> None:
        """A user has changed their marker in a room, over the socket ``by``."""
        if view.marker is None or not self.open:
            return
        moved = MarkerPush(
            room=view.room, user=user, read=view.marker.read, delivered=view.marker.delivered, unread=view.unread
        )
        self.markers.put(MarkerDelivery(marker=moved, everyone=view.markers is not None, by=by))

    def _room(self, room: RoomId) -> LiveRoom:
        if room not in self._rooms:
            self._rooms[room] = LiveRoom(room, self._around)
        return self._rooms[room]

    def _drop(self, room: LiveRoom) -> None:
        if self._rooms.get(room.room) is room:
            del self._rooms[room.room]
            self.timeouts.forget(room)
            self._recent.note(room.room, room.known)
