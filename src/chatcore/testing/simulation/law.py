"""What a socket may be pushed, and in which order."""

from ...domain.entries import Entry
from ...ids import RoomId, Seq, UserId
from ...live.pushes import Ready, Room
from ...ports.connection import Push
from ...protocol import Object
from .world import World


class PushLaw:
    """Holds the pushes of one socket against the contract: "each room's entries in ascending seq from `head`+1".

    ``seen`` has what was shown of each room, to be held against the membership at that seq when the log is known.
    """

    def __init__(self, world: World, user: UserId, socket: str) -> None:
        self._world = world
        self._user = user
        self._socket = socket
        self._is_ready = False
        self._next: dict[RoomId, Seq] = {}

    def ready(self, ready: Ready) -> None:
        if self._is_ready:
            self._world.fault(f"{self._user} was told ready twice")
        self._is_ready = True
        for room in ready.rooms:
            if room.view.member and room.view.member.standing == "member":
                self._next[room.view.room] = room.view.head + 1

    def entry(self, entry: Entry) -> None:
        self._after_ready(f"entry {entry.room} {entry.seq}")
        due = self._next.get(entry.room)
        if due != entry.seq:
            self._world.fault(f"{self._user} was pushed {entry.room} {entry.seq} where {due} was due")
        self._next[entry.room] = entry.seq + 1
        self._world.shown.add((self._user, entry.room, entry.seq))

    def other(self, push: Push) -> None:
        self._after_ready(push.event)
        if isinstance(push.body, Room) and push.body.announced_at is not None:
            room, head = push.body.view.room, push.body.announced_at
            if room in self._next:
                self._world.fault(f"{self._user} was told of {room} again, at {head}")
            self._next[room] = head + 1
            self._world.shown.add((self._user, room, head + 1))

    def synced(self, answer: Object) -> None:
        """After the answer of a `sync`, its rooms go on above its heads."""
        for room, one in answer["rooms"].items():
            if one["status"] == "gone":
                self._next.pop(room, None)
            else:
                self._next[room] = one["head"] + 1

    def _after_ready(self, what: str) -> None:
        if not self._is_ready:
            self._world.fault(f"{self._user} was pushed {what} before ready")
