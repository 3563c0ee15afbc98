"""What a socket may be pushed, and in which order."""

from ...domain.entries import Banned, Entry, Left, Removed
from ...domain.state import MARKERS_SHOWN_TO
from ...ids import RoomId, Seq, UserId
from ...live.pushes import MarkerPush, Ready, Room, RoomGone
from ...ports.connection import Push
from ...protocol import Object
from .owners import Owner
from .world import Pushed, World


class PushLaw:
    """Holds the pushes of one socket against the contract: "each room's entries in ascending seq from `head`+1".

    What was shown of each room is noted, to be held against the membership at that seq when the log is known.
    """

    def __init__(self, world: World, node: Owner, user: UserId, socket: str) -> None:
        self._world = world
        self._node = node
        self._user = user
        self._socket = socket
        self._is_ready = False
        self._shows_all = True
        """Whether `ready` has shown every room of the user; of others any may be pushed."""
        self._next: dict[RoomId, Seq] = {}
        self._invited: set[RoomId] = set()
        self._ended: set[RoomId] = set()
        """Where the last entry that the socket gets was its user's removal: `room.gone` is due."""

    def ready(self, ready: Ready) -> None:
        if self._is_ready:
            self._broken("was told ready twice")
        self._is_ready = True
        self._shows_all = ready.next is None
        for room in ready.rooms:
            if room.standing == "member":
                self._next[room.view.room] = room.view.head + 1
            else:
                self._invited.add(room.view.room)

    def entry(self, entry: Entry) -> None:
        self._after_ready(f"entry {entry.room} {entry.seq}")
        due = self._next.get(entry.room)
        if due is None and not self._shows_all:
            self._world.excuse("the first push of a room that `ready` does not show may have any seq")
        elif due != entry.seq:
            self._broken(f"was pushed {entry.room} {entry.seq} where {due} was due")
        self._next[entry.room] = entry.seq + 1
        self._world.pushed.append(Pushed(self._world.now, self._node, self._user, entry))
        match entry.event:
            case Left(user=user) | Removed(user=user) | Banned(user=user) if user == self._user:
                self._next.pop(entry.room, None)
                self._ended.add(entry.room)
            case _:
                pass

    def other(self, push: Push) -> None:
        self._after_ready(push.event)
        match push.body:
            case Room() as room:
                self._room(room)
            case RoomGone(room=gone):
                self._gone(gone)
            case MarkerPush() as moved:
                self._marker(moved)
            case _:
                pass

    def _room(self, shown: Room) -> None:
        room, head = shown.view.room, shown.announced_at
        if room in self._next:
            self._broken(f"was told of {room} again, at {head}")
        if head is None:
            self._invited.add(room)
            return
        self._invited.discard(room)
        self._next[room] = head + 1
        self._world.shown.add((self._user, room, head + 1))

    def _gone(self, room: RoomId) -> None:
        """ "Gets that entry, then `room.gone`"; "an invited user whose invitation ends gets `room.gone` alone"."""
        if self._shows_all and room not in self._ended | self._invited:
            self._broken(f"was told that {room} is gone, which it did not know")
        self._ended.discard(room)
        self._invited.discard(room)

    def _marker(self, moved: MarkerPush) -> None:
        if self._shows_all and moved.room not in self._next:
            self._broken(f"was pushed {moved} of a room it does not follow")
        if moved.user != self._user and self._world.truth.states[moved.room].count() > 2 * MARKERS_SHOWN_TO:
            self._broken(f"was pushed {moved} of another in a large room")
        if moved.unread is not None and moved.user != self._user:
            self._broken(f"was told what is unread for another: {moved}")

    def synced(self, answer: Object) -> None:
        """After the answer of a `sync`, its rooms go on above its heads."""
        for room, one in answer["rooms"].items():
            if one["status"] == "gone":
                self._next.pop(room, None)
            else:
                self._next[room] = one["head"] + 1
                self._invited.discard(room)

    def unsaid(self) -> set[RoomId]:
        """The rooms that ended for this socket, which has not been told."""
        return self._ended

    def _after_ready(self, what: str) -> None:
        if not self._is_ready:
            self._broken(f"was pushed {what} before ready")

    def _broken(self, what: str) -> None:
        self._world.fault(f"{self._user} ({self._socket}) {what}")
