"""What a room is as of one seq, and what of it one user sees."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from attrs import field, frozen

from ..ids import RoomId, Seq, UserId
from .entries import Entry, Role, RoomKind, Standing

MARKERS_SHOWN_TO = 20
MEMBERS_MAX = 5_000
UNREAD_MAX = 100


@frozen
class Member:
    """A user's standing in a room; ``since`` is the seq of the entry that gave it to them."""

    role: Role
    since: Seq
    standing: Standing = "member"


def _is_owner(member: Member) -> bool:
    return member.standing == "member" and member.role == "owner"


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

    def member(self, user: UserId) -> Member | None:
        """The user's standing where they are a member, else None."""
        found = self.members.get(user)
        return found if found and found.standing == "member" else None

    def is_last_owner(self, user: UserId) -> bool:
        """Whether the room would have no owner without this one."""
        found = self.member(user)
        return found is not None and found.role == "owner" and sum(map(_is_owner, self.members.values())) == 1

    def count(self) -> int:
        """How many members the room has."""
        return sum(member.standing == "member" for member in self.members.values())


@frozen
class Marker:
    """How far a user has read a room, and how far its entries have reached a device of theirs; they never go back.

    For oneself only: ``unread_from`` is the seq from which on everything counts as unread until one reads on, and
    ``muted`` asks clients for silence.
    """

    read: Seq
    delivered: Seq
    unread_from: Seq | None = None
    muted: bool = False

    @property
    def counted_from(self) -> Seq:
        """The seq above which the messages of others are unread."""
        return self.read if self.unread_from is None else min(self.read, self.unread_from - 1)


@frozen(kw_only=True)
class MarkerUpdate:
    """What a user says of their marker; what is None stays as it is."""

    read: Seq | None = None
    delivered: Seq | None = None
    unread_from: Seq | None = None
    muted: bool | None = None

    def applied(self, marker: Marker) -> Marker:
        """The marker afterwards: ``read`` and ``delivered`` only go up, ``read`` raises ``delivered`` and ends
        ``unread_from``."""
        read = max(marker.read, self.read or 0)
        unread_from = marker.unread_from if self.read is None else None
        return Marker(
            read=read,
            delivered=max(marker.delivered, self.delivered or 0, read),
            unread_from=unread_from if self.unread_from is None else self.unread_from,
            muted=marker.muted if self.muted is None else self.muted,
        )

    def fits(self, head: Seq) -> bool:
        """Whether no position is above ``head``."""
        return max(self.read or 0, self.delivered or 0, self.unread_from or 0) <= head


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
