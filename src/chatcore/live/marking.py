"""Pushes of markers: at most one per room and user in 250 ms, the newest one, and never one that goes back."""

from collections.abc import Callable, Mapping

import anyio
from attrs import frozen

from ..ids import RoomId, Seq, UserId
from ..ports.bus import MarkerAt
from .background import Background
from .pushes import MarkerMoved
from .room import LiveRoom
from .user import LiveSocket

COALESCED_S = 0.25
REMEMBERED_MAX = 10_000


@frozen(kw_only=True)
class Moved:
    """A marker that moved: whether everyone in the room hears of it, and the socket that knows already."""

    marker: MarkerMoved
    everyone: bool
    by: LiveSocket | None


class MarkerPushes:
    """Pushes markers to the sockets here, and those that moved here to other nodes: the first at once, then the newest
    of each quarter of a second.

    Neither hints nor the answers of a store come in the order in which markers moved. How far each of the 10,000 that
    moved last has come is remembered, and what lies behind it is dropped.
    """

    def __init__(
        self,
        background: Background,
        node: str,
        rooms: Mapping[RoomId, LiveRoom],
        publish: Callable[[MarkerAt], None],
    ) -> None:
        self._background = background
        self._node = node
        self._rooms = rooms
        self._publish = publish
        self._later: dict[tuple[RoomId, UserId], Moved | None] = {}
        self._furthest: dict[tuple[RoomId, UserId], tuple[Seq, Seq]] = {}  # what moved last comes last

    def put(self, moved: Moved) -> None:
        """A marker has moved here."""
        name = moved.marker.room, moved.marker.user
        if not self._goes_on(moved.marker):
            return
        if name in self._later:
            self._later[name] = moved
            return
        self._later[name] = None
        self._push(moved)
        self._background.start(lambda: self._hold_back(name))

    def told(self, hint: MarkerAt) -> None:
        """A hint says that a marker has moved."""
        moved = MarkerMoved(
            room=hint.room, user=hint.user, read=hint.read, delivered=hint.delivered, unread=hint.unread
        )
        if hint.node != self._node and self._goes_on(moved):
            self._tell(Moved(marker=moved, everyone=hint.everyone, by=None))

    async def _hold_back(self, name: tuple[RoomId, UserId]) -> None:
        await anyio.sleep(COALESCED_S)
        while moved := self._later[name]:
            self._later[name] = None
            if self._goes_on(moved.marker):
                self._push(moved)
            await anyio.sleep(COALESCED_S)
        del self._later[name]

    def _goes_on(self, marker: MarkerMoved) -> bool:
        """Whether the marker is not behind what was asked about before."""
        name = marker.room, marker.user
        read, delivered = self._furthest.pop(name, (0, 0))
        self._furthest[name] = max(read, marker.read), max(delivered, marker.delivered)
        if len(self._furthest) > REMEMBERED_MAX:
            del self._furthest[next(iter(self._furthest))]
        return marker.read >= read and marker.delivered >= delivered

    def _push(self, moved: Moved) -> None:
        self._tell(moved)
        marker = moved.marker
        self._publish(
            MarkerAt(
                node=self._node,
                room=marker.room,
                user=marker.user,
                read=marker.read,
                delivered=marker.delivered,
                unread=marker.unread or 0,
                everyone=moved.everyone,
            )
        )

    def _tell(self, moved: Moved) -> None:
        if room := self._rooms.get(moved.marker.room):
            room.tell(moved.marker, everyone=moved.everyone, but=moved.by)
