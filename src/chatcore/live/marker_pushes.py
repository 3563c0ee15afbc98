"""Pushes of markers: at most one per room and user in 250 ms, with the newest position, which never goes down."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import anyio
from attrs import define, evolve, frozen

from ..ids import RoomId, Seq, UserId
from ..ports.bus import MarkerHint
from ..ports.pushes import MarkerPush
from .background import Background
from .live_sockets import LiveSocket
from .room import LiveRoom

COALESCED_S = 0.25
"""Seconds between two pushes of one marker."""
REMEMBERED_MAX = 10_000
"""The most markers of which the positions are remembered."""

MarkerKey: TypeAlias = tuple[RoomId, UserId]
MarkerPosition: TypeAlias = tuple[Seq, Seq]
"""The read and the delivered position of a marker."""


@frozen(kw_only=True)
class MarkerDelivery:
    """A changed marker, and its receivers.

    Attributes:
        everyone: whether the other members get the position too.
        by: the socket that changed the marker and gets no push; None if that is unknown.
    """

    marker: MarkerPush
    everyone: bool
    by: LiveSocket | None


@define
class _Known:
    """The highest position of a marker, and the position that the other members know."""

    furthest: MarkerPosition = (0, 0)
    shared: MarkerPosition | None = None


class MarkerPushes:
    """Pushes changed markers to the sockets of this node, and publishes hints of them.

    The first change is pushed at once, then the newest change of each quarter of a second. The user's own sockets get
    every pushed change. The other members get only positions that they do not know.

    Hints and answers of a store do not come in the order of the changes. So the highest positions of the 10,000 markers
    that changed last are remembered, and a change with a lower position is dropped.
    """

    def __init__(
        self,
        background: Background,
        node: str,
        rooms: Mapping[RoomId, LiveRoom],
        publish: Callable[[MarkerHint], None],
    ) -> None:
        self._background = background
        self._node = node
        self._rooms = rooms
        self._publish = publish
        self._later: dict[MarkerKey, MarkerDelivery | None] = {}
        self._known: dict[MarkerKey, _Known] = {}  # in the order of the last use

    def begin(self, room: RoomId, user: UserId, position: MarkerPosition) -> None:
        """Remember ``position`` as known to the other members, unless a position is remembered already.

        Called before a marker is changed, so that a change with an unknown outcome is pushed with the next one.
        """
        known = self._remembered((room, user))
        if known.shared is None:
            known.shared = position

    def put(self, delivery: MarkerDelivery) -> None:
        """Push a marker that was changed here."""
        name = delivery.marker.room, delivery.marker.user
        if not self._is_ahead(delivery.marker):
            return
        if name in self._later:
            self._later[name] = delivery
            return
        self._later[name] = None
        self._push(delivery)
        self._background.start(lambda: self._hold_back(name))

    def take_hint(self, hint: MarkerHint) -> None:
        """Push a marker that was changed on another node."""
        marker = MarkerPush(
            room=hint.room, user=hint.user, read=hint.read, delivered=hint.delivered, unread=hint.unread
        )
        if hint.node != self._node and self._is_ahead(marker):
            self._push_here(
                MarkerDelivery(marker=marker, everyone=hint.everyone and self._is_new_to_others(marker), by=None)
            )

    async def _hold_back(self, name: MarkerKey) -> None:
        await anyio.sleep(COALESCED_S)
        while delivery := self._later[name]:
            self._later[name] = None
            if self._is_ahead(delivery.marker):
                self._push(delivery)
            await anyio.sleep(COALESCED_S)
        del self._later[name]

    def _is_ahead(self, marker: MarkerPush) -> bool:
        """Return whether no position of ``marker`` is below that of an earlier call, and remember the highest ones."""
        known = self._remembered((marker.room, marker.user))
        read, delivered = known.furthest
        known.furthest = max(read, marker.read), max(delivered, marker.delivered)
        return marker.read >= read and marker.delivered >= delivered

    def _is_new_to_others(self, marker: MarkerPush) -> bool:
        """Return whether the other members do not know this position, and remember it as known."""
        known = self._remembered((marker.room, marker.user))
        before, known.shared = known.shared, (marker.read, marker.delivered)
        return before != known.shared

    def _remembered(self, name: MarkerKey) -> _Known:
        known = self._known[name] = self._known.pop(name, _Known())
        if len(self._known) > REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        return known

    def _push(self, delivery: MarkerDelivery) -> None:
        marker = delivery.marker
        everyone = self._is_new_to_others(marker) and delivery.everyone
        self._push_here(evolve(delivery, everyone=everyone))
        self._publish(
            MarkerHint(
                node=self._node,
                room=marker.room,
                user=marker.user,
                read=marker.read,
                delivered=marker.delivered,
                unread=marker.unread or 0,
                everyone=everyone,
            )
        )

    def _push_here(self, delivery: MarkerDelivery) -> None:
        if room := self._rooms.get(delivery.marker.room):
            room.push_marker(delivery.marker, everyone=delivery.everyone, but=delivery.by)
