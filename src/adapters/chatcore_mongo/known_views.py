"""Views of rooms that were just shown: a client that connects reads the same rooms again by `sync`."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import TypeAlias

from attrs import frozen

from chatcore.domain.serialization import text_bytes
from chatcore.domain.state import RoomView
from chatcore.ids import RoomId, Seq, UserId

from .documents import Document, marker_id

VIEWS_MAX = 5_000
TEXT_BYTES_MAX = 1_024
"""The most bytes of the last entry's text in a view that is kept."""
KEPT_S = 30
"""Seconds after which a view is dropped, once another one is kept."""

Markers: TypeAlias = Mapping[str, Document]
"""The documents of markers, by ``_id``."""


@frozen
class KnownView:
    """A view, and the documents of the markers in it."""

    view: RoomView
    marker_ids: Sequence[str]
    markers: Markers
    until: float

    def is_present(self, head: Seq | None, markers: Markers) -> bool:
        """Return whether the room still has this head, and its members these markers."""
        return head == self.view.head and all(
            markers.get(identity) == self.markers.get(identity) for identity in self.marker_ids
        )


class KnownViews:
    """Views as of their heads. What a view shows of the log never changes, so its head and its markers decide.

    A view is taken out when it is used: clients rarely read a room twice after they have connected.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UserId, RoomId], KnownView] = OrderedDict()

    def keep(self, user: UserId, views: Sequence[RoomView], markers: Markers) -> None:
        """Keep the views of rooms in which ``user`` is a member.

        Args:
            user: the user who views.
            views: the views.
            markers: the documents of all markers in these views that have one.
        """
        now = monotonic()
        while self._known and next(iter(self._known.values())).until < now:
            self._known.popitem(last=False)
        for view in views:
            if view.marker and text_bytes(view.last) <= TEXT_BYTES_MAX:
                ids = [marker_id(view.room, member) for member in view.markers or (user,)]
                found = {identity: markers[identity] for identity in ids if identity in markers}
                self._known[user, view.room] = KnownView(view, ids, found, now + KEPT_S)
                self._known.move_to_end((user, view.room))
        while len(self._known) > VIEWS_MAX:
            self._known.popitem(last=False)

    def take(self, user: UserId, rooms: Collection[RoomId]) -> Mapping[RoomId, KnownView]:
        """Take out the views of ``rooms``, and return them; none unless all are known: the others need more reads."""
        taken = {room: known for room in rooms if (known := self._known.pop((user, room), None))}
        return taken if len(taken) == len(rooms) else {}
