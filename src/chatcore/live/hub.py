"""The hub: finds the rooms that this node serves, and the users with sockets on this node, by their ids."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ..domain.decider import Rules
from ..domain.entries import Entry
from ..domain.state import RoomView
from ..errors import ChatError, NotFound, Unavailable
from ..ids import RoomId, Seq, UserId, is_room_id, private_room_id
from ..ports.bus import BlockHint, MarkerHint, PresenceHint, TypingHint
from ..ports.pushes import MarkerPush
from ..ports.registry import SocketRegistry
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .appender import Appender
from .background import Background
from .command_queue import PendingCommand
from .command_timeouts import CommandTimeouts
from .live_sockets import LiveSocket, LiveUser, Subscription
from .marker_pushes import MarkerDelivery, MarkerPushes
from .memberships import Memberships
from .presence import Presence
from .recent_heads import RecentHeads
from .room import LiveRoom
from .room_context import RoomContext
from .typing import Typing


class Hub:
    """Finds the one `LiveRoom` of a room and the one `LiveUser` of a user.

    It makes a room only to use it (`submit`, `subscribe`): a room that is not used would never be dropped.
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
        publish_block: Callable[[BlockHint], None],
        publish_typing: Callable[[TypingHint], None],
        publish_presence: Callable[[PresenceHint], None] | None,
        registry: SocketRegistry | None,
        presence: bool,
        directory: UserDirectory | None,
        rules: Rules,
        uniform: Callable[[float, float], float],
        room_refusal: Callable[[RoomId], ChatError | None],
    ) -> None:
        self._node = node
        self._publish_block = publish_block
        self.open = False
        """Whether commands are carried out. While False the tasks of rooms do not run, or are ending."""
        self._rooms: dict[RoomId, LiveRoom] = {}
        self._users: dict[UserId, LiveUser] = {}
        self._recent_heads = RecentHeads()
        self.timeouts: CommandTimeouts = CommandTimeouts()
        self.memberships: Memberships = Memberships(store, self._users, self.subscribe)
        self.typing: Typing = Typing(background, store, node, self._members, publish_typing)
        self.presence: Presence = Presence(
            store,
            self._users,
            registry=registry,
            node=node,
            clock=now,
            publish=publish_presence,
            enabled=presence,
        )
        self._context = RoomContext(
            store=store,
            appender=Appender(store, background.start),
            users=self._users,
            typing=self.typing,
            now=now,
            start=background.start,
            publish=publish,
            has_commands=self._watch,
            idle=self._drop,
            directory=directory,
            rules=rules,
            uniform=uniform,
            room_refusal=room_refusal,
        )
        self.markers: MarkerPushes = MarkerPushes(background, node, self._rooms, publish_marker)

    @property
    def rooms_count(self) -> int:
        """How many rooms are live."""
        return len(self._rooms)

    @property
    def users_count(self) -> int:
        """How many users have sockets on this node."""
        return len(self._users)

    def submit(self, room: RoomId, pending: PendingCommand) -> None:
        """Queue a command at its room. Answers `NotFound` if ``room`` is no room id, `Unavailable` while not open."""
        pending.in_flight.add()
        live = self._rooms.get(room)
        if live is not None and self.open:
            live.submit(pending)
        elif not is_room_id(room):
            pending.answer(NotFound())
        elif not self.open:
            pending.answer(Unavailable())
        else:
            self._room(room).submit(pending)

    def has_queued(self, room: RoomId, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is pending at ``room``."""
        live = self._rooms.get(room)
        return live is not None and live.has_queued(socket)

    def subscribe(self, room: RoomId, subscription: Subscription, known: Seq) -> None:
        """Subscribe a socket to a room; see `LiveRoom.subscribe`. Does nothing if the socket has ended."""
        if self.open and not subscription.socket.ended:
            self._room(room).subscribe(subscription, max(known, self._recent_heads.seq(room)))
            if subscription.typists or room in self.typing.rooms:
                self.typing.subscribed(room, subscription.typists)

    def enter(self, socket: LiveSocket) -> None:
        """Add a socket to its user. Until `subscribe_connected`, the user's joins are deferred for the socket."""
        user = self._users.setdefault(socket.user, LiveUser(socket.user))
        user.sockets[socket.connection.id] = socket

    def leave(self, socket: LiveSocket) -> None:
        """Remove a socket that has ended, and its subscriptions."""
        socket.ended = True
        user = self._users[socket.user]
        del user.sockets[socket.connection.id]
        if not user.sockets:
            del self._users[socket.user]
        if socket in self.typing.sockets:
            self.typing.leave(socket)
        for room in tuple(socket.subscriptions):
            self._unsubscribe(socket, room)
        self.presence.closed(socket)

    def _unsubscribe(self, socket: LiveSocket, room: RoomId) -> Subscription:
        subscription = socket.subscriptions[room]
        self._rooms[room].unsubscribe(subscription)
        return subscription

    def begin_sync(self, socket: LiveSocket, rooms: Collection[RoomId]) -> Mapping[RoomId, Subscription]:
        """End the socket's subscriptions to ``rooms``, and defer joins to them, until `resubscribe` or `end_sync`.

        Returns the subscriptions that were ended.
        """
        socket.syncing_rooms.update(rooms)
        held = {room: self._unsubscribe(socket, room) for room in rooms if room in socket.subscriptions}
        for room, subscription in held.items():
            if not subscription.member:
                # The entry that makes the user a member or invited is above. `sync` does not report an invitation.
                socket.defer_join(room, subscription.seq + 1)
        return held

    def resubscribe(self, socket: LiveSocket, rooms: Collection[RoomId], held: Mapping[RoomId, Subscription]) -> None:
        """Subscribe the socket again as in ``held``, and to other rooms of ``rooms`` from a deferred join."""
        socket.syncing_rooms.difference_update(rooms)
        for room in rooms:
            joined = socket.deferred_joins.pop(room, 0)
            if subscription := held.get(room):
                again = Subscription(socket, subscription.seq, subscription.member, subscription.typists)
                self.subscribe(room, again, known=joined)
            elif joined:
                self.subscribe(room, Subscription(socket, joined - 1, member=False), known=joined)

    def end_sync(
        self,
        socket: LiveSocket,
        rooms: Collection[RoomId],
        held: Mapping[RoomId, Subscription],
        heads: Mapping[RoomId, Seq],
    ) -> None:
        """Subscribe the socket again after the answer of a `sync`. Its user is a member of the rooms of ``heads``.

        `sync` reports invited rooms as `gone` and the client drops earlier pushes. So a pending invitation is pushed
        again, also one that came while the socket had no subscription. The end of an invitation is pushed too, because
        the client may have read the room meanwhile.

        Args:
            held: the subscriptions that `begin_sync` ended.
            heads: the heads of the answer. The socket is subscribed from there.
        """
        shown = {room: subscription.typists for room, subscription in held.items()}
        again = {
            room: Subscription(socket, head, member=True, typists=shown.get(room, ())) for room, head in heads.items()
        }
        self.resubscribe(socket, rooms, again)
        for room in rooms:
            if room in heads:
                socket.invited.pop(room, None)
            elif room in socket.invited or room in held:
                if room in socket.invited:
                    socket.invited[room] = 0
                self.memberships.check_soon(socket.user, room)

    def subscribe_connected(self, socket: LiveSocket, heads: Mapping[RoomId, Seq]) -> None:
        """Subscribe a new socket to its user's rooms from ``heads``, which `ready` shows, and to rooms joined since."""
        socket.connecting = False
        joined, socket.deferred_joins = socket.deferred_joins, {}
        for room, head in heads.items():
            self.subscribe(room, Subscription(socket, head, member=True), known=joined.pop(room, 0))
        for room, seq in joined.items():
            self.subscribe(room, Subscription(socket, seq - 1, member=False), known=seq)
        self.memberships.check_invitations(socket)
        self.presence.opened(socket)

    def abandon(self) -> None:
        """Fail all pending commands with `Unavailable`, once no task runs that would answer them."""
        for room in tuple(self._rooms.values()):
            room.fail(Unavailable())

    def take_hint(self, room: RoomId, seq: Seq, affects: Sequence[UserId], entry: Entry | None = None) -> None:
        """Take a hint, or a change of the change feed: ``room`` has reached ``seq``.

        Args:
            affects: the users to whom the entry at ``seq`` gave another membership.
            entry: the entry at ``seq`` if the hint has it.
        """
        if not self.open:
            return
        self.presence.note_memberships(affects)
        live = self._rooms.get(room)
        if live is not None:
            live.raise_known(seq, entry)
        else:
            self._recent_heads.note(room, seq)
        if live is None or live.started is None or seq <= live.started:
            for user in affects:
                self.memberships.check_soon(user, room)

    def note_block(self, user: UserId, other: UserId) -> None:
        """Note that a block of ``user`` may be new: to private room, typing and presence of the two."""
        self.typing.note_block(user, other)
        self.presence.note_block(user, other)
        if live := self._rooms.get(private_room_id(user, other)):
            live.note_block()

    def block_changed(self, user: UserId, other: UserId) -> None:
        """Take a block that ``user`` has made here, and tell other nodes."""
        self.note_block(user, other)
        self._publish_block(BlockHint(user=user, other=other))

    def take_typing_hint(self, hint: TypingHint) -> None:
        """Take the hint of another node that a user types in a room, or has ended. Own hints are ignored."""
        if self.open and hint.node != self._node and hint.room in self._rooms:
            self.typing.take_hint(hint)

    def marker_will_change(self, user: UserId, view: RoomView) -> None:
        """Prepare the push of a change to a user's marker. ``view`` shows the marker before the change."""
        if view.marker is not None:
            self.markers.begin(view.room, user, (view.marker.read, view.marker.delivered))

    def marker_changed(self, user: UserId, view: RoomView, by: LiveSocket | None) -> None:
        """Push the marker of ``view``, which a user changed over the socket ``by``."""
        if view.marker is None or not self.open:
            return
        push = MarkerPush(
            room=view.room, user=user, read=view.marker.read, delivered=view.marker.delivered, unread=view.unread
        )
        self.markers.put(MarkerDelivery(marker=push, everyone=view.markers is not None, by=by))

    def _members(self, room: RoomId) -> Sequence[Subscription]:
        live = self._rooms.get(room)
        return live.members() if live else ()

    def _room(self, room: RoomId) -> LiveRoom:
        live = self._rooms.get(room)
        if live is None:
            live = self._rooms[room] = LiveRoom(room, self._context)
        return live

    def _watch(self, room: RoomId) -> None:
        self.timeouts.watch(self._rooms[room])

    def _drop(self, room: RoomId) -> None:
        live = self._rooms.pop(room)
        self.timeouts.forget(live)
        self.typing.restart(room)
        self._recent_heads.note(room, live.known)
