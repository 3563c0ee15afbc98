"""What a room is as of one seq, and what of it one user sees."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from attrs import field, frozen

from ..ids import RoomId, Seq, UserId
from .entries import Entry, Role, RoomKind, Standing

MARKERS_SHOWN_TO = 20
UNREAD_MAX = 100


@frozen
class Member:
    """A user's standing in a room; ``since`` is the seq of the entry that gave it to them."""

    role: Role
    since: Seq
    standing: Standing = "member"


_NOBODY: Mapping[UserId, Member] = MappingProxyType({})


@frozen(kw_only=True)
class RoomState:
    """A room as of ``head``, the seq of the last entry folded in; ``kind`` is None as long as the room is unborn.

    ``members`` maps every user with a standing to it. States share structure: only an entry that changes membership
    makes a new mapping.
    """

    room: RoomId
    head: Seq = 0
    kind: RoomKind | None = None
    title: str | None = None
    members: Mapping[UserId, Member] = field(default=_NOBODY, repr=False)


@frozen
class Marker:
    """How far a user has read a room, and how far its entries have reached a device of theirs; they never go back."""

    read: Seq
    delivered: Seq


@frozen(kw_only=True)
class RoomView:
    """A room as one user sees it in a list, as of ``head``.

    ``member`` and ``marker`` are None for somebody without a standing. ``unread`` counts the messages of others above
    the user's read marker, exact to 99, then 100. ``markers`` holds every member's, in rooms of up to
    `MARKERS_SHOWN_TO` members, and is None in larger ones.
    """

    room: RoomId
    kind: RoomKind
    title: str | None
    head: Seq
    members_count: int
    last: Entry
    member: Member | None
    marker: Marker | None
    unread: int
    markers: Mapping[UserId, Marker] | None

    @property
    def at(self) -> datetime:
        """When the last entry was written: what lists across rooms are sorted by."""
        return self.last.at
