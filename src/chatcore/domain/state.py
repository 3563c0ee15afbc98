"""The state of a room, markers, and a room as one user sees it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from attrs import field, frozen

from ..ids import RoomId, Seq, UserId
from .entries import Entry, MembershipState, Role, RoomKind

MARKERS_SHOWN_TO = 20
"""The most members of a room that shows the markers of all members."""
MEMBERS_MAX = 5_000
UNREAD_MAX = 100
"""Unread messages are counted up to this number."""


@frozen
class Membership:
    """A user's membership in a room: a member, invited, or banned.

    Attributes:
        role: the role of a member; ``member`` for an invited or banned user.
        since: the seq of the entry that began the membership state. A change of the role keeps it.
        state: the membership state.
    """

    role: Role
    since: Seq
    state: MembershipState = "member"


def _is_owner(member: Membership) -> bool:
    return member.state == "member" and member.role == "owner"


_NO_MEMBERS: Mapping[UserId, Membership] = MappingProxyType({})


@frozen(kw_only=True)
class RoomState:
    """A room as of ``head``, the seq of the last applied entry.

    Attributes:
        kind: None for a room without entries.
        members: the memberships of all members, invited and banned users. States share the mapping: only an entry that
            changes a membership makes another one.
        blocked: of a private room: the users whom the other user has blocked. It is not part of the log.
    """

    room: RoomId
    head: Seq = 0
    kind: RoomKind | None = None
    title: str | None = None
    members: Mapping[UserId, Membership] = field(default=_NO_MEMBERS, repr=False)
    blocked: frozenset[UserId] = frozenset()

    def member(self, user: UserId) -> Membership | None:
        """Return the user's membership, or None if the user is not a member."""
        member = self.members.get(user)
        return member if member and member.state == "member" else None

    def is_last_owner(self, user: UserId) -> bool:
        """Return whether the user is the only owner of the room."""
        member = self.member(user)
        return member is not None and member.role == "owner" and sum(map(_is_owner, self.members.values())) == 1

    def count(self) -> int:
        """Return how many members the room has."""
        return sum(member.state == "member" for member in self.members.values())


@frozen
class Marker:
    """A user's read and delivered positions in a room. Both only go up.

    Attributes:
        read: the seq up to which the user has read.
        delivered: the seq up to which entries have reached a device of the user.
        unread_from: the seq from which messages count as unread, until the next update of ``read``. Other members do
            not see it.
        muted: asks the user's clients not to notify. Other members do not see it.
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
    """A change to a marker. A field that is None stays unchanged."""

    read: Seq | None = None
    delivered: Seq | None = None
    unread_from: Seq | None = None
    muted: bool | None = None

    def applied(self, marker: Marker) -> Marker:
        """Return the marker after the update.

        ``read`` and ``delivered`` only go up. An update of ``read`` raises ``delivered`` and ends ``unread_from``.
        """
        read = max(marker.read, self.read or 0)
        unread_from = marker.unread_from if self.read is None else None
        return Marker(
            read=read,
            delivered=max(marker.delivered, self.delivered or 0, read),
            unread_from=unread_from if self.unread_from is None else self.unread_from,
            muted=marker.muted if self.muted is None else self.muted,
        )

    def fits(self, head: Seq) -> bool:
        """Return whether no position of the update is above ``head``."""
        return max(self.read or 0, self.delivered or 0, self.unread_from or 0) <= head


@frozen(kw_only=True)
class RoomView:
    """A room as one user sees it in a list, as of ``head``.

    Attributes:
        last: the last entry, as written.
        member: the user's membership; None for a stranger.
        marker: the user's marker; None for a user who is not a member.
        unread: how many messages of other users are above `Marker.counted_from`: exact up to 99, then 100.
        markers: the markers of all members; None in rooms of more than `MARKERS_SHOWN_TO` members.
    """

    room: RoomId
    kind: RoomKind
    title: str | None
    head: Seq
    members_count: int
    last: Entry
    member: Membership | None
    marker: Marker | None
    unread: int
    markers: Mapping[UserId, Marker] | None

    @property
    def at(self) -> datetime:
        """The time of the last entry. Lists of rooms are sorted by it."""
        return self.last.at
