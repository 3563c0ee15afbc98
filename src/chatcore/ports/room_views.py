"""The port of a store for rooms as users see them. These views are projections of the logs."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import frozen

from ..domain.entries import Entry, Message, RoomKind
from ..domain.permissions import sees_banned
from ..domain.state import Membership, RoomState, RoomView
from ..ids import RoomId, Seq, UserId

PUBLIC_ROOMS_LOOKED_AT = 400
"""The most rooms that a page of public rooms looks at: a user may be banned from any number of them."""


@frozen(kw_only=True)
class FirstUnread:
    """The anchor at the user's first unread message; the same as ``newest`` if there is none.

    ``read`` is the marker's ``counted_from``. A deleted message is not unread.
    """

    user: UserId
    read: Seq

    def is_unread(self, entry: Entry) -> bool:
        """Return whether ``entry`` is an unread message of another user."""
        if entry.seq <= self.read or entry.author == self.user:
            return False
        return isinstance(entry.event, Message) and not entry.event.deleted


Anchor: TypeAlias = Literal["newest", "oldest"] | Seq | FirstUnread


@frozen(kw_only=True)
class Window:
    """The entries around an anchor, as of one snapshot.

    Attributes:
        head: the room's head; 0 for a room without entries.
        kind: None for a room without entries.
        member: the membership of the reading user.
        entries: in ascending order; messages are in their present state.
    """

    head: Seq
    kind: RoomKind | None
    member: Membership | None
    entries: Sequence[Entry]
    has_before: bool
    has_after: bool


@frozen(kw_only=True)
class RoomMembership:
    """A user's membership in a room, and the room's head, as of one snapshot."""

    room: RoomId
    head: Seq
    member: Membership


@frozen(kw_only=True)
class RoomCatchUp:
    """A room as a member sees it, and the entries above a cursor or None if they are too many, as of one snapshot."""

    view: RoomView
    entries: Sequence[Entry] | None


@frozen(kw_only=True)
class RoomMembers:
    """A page of a room's users, as of one snapshot.

    Attributes:
        kind: None for a room without entries.
        member: the membership of the reading user.
        users: the users and their memberships, in the order of user ids.
        has_after: whether more users follow.
    """

    kind: RoomKind | None
    member: Membership | None
    users: Sequence[tuple[UserId, Membership]]
    has_after: bool


@frozen(kw_only=True)
class RoomPage:
    """A page of rooms as a user sees them. ``next`` is the page token of the next page; None on the last page."""

    rooms: Sequence[RoomView]
    next: str | None


@frozen(kw_only=True)
class Overview:
    """What a socket shows and subscribes to when it opens.

    Attributes:
        memberships: as `RoomViews.memberships` returns them, not newer than the page. They may be empty if the page has
            no ``next``: it shows all rooms then.
        page: the first page of the user's rooms.
    """

    memberships: Sequence[RoomMembership]
    page: RoomPage


@frozen(kw_only=True)
class UnreadTotal:
    """The unread messages of a user in all rooms that are not muted; the answer of `Unread`.

    Attributes:
        rooms: how many rooms have unread messages.
        messages: how many messages are unread, counting at most 100 in a room.
    """

    rooms: int
    messages: int


class RoomViews(ABC):
    """The views of rooms. Each method reads one snapshot in one round trip, and raises `Unavailable`.

    `chatcore.ports.log_store.LogStore` has a default for each method, a projection of the log: correct, but not fast.
    """

    @abstractmethod
    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        """Return up to ``before`` entries before the anchor, the entry at the anchor, and up to ``after`` after it.

        ``newest`` is the position after the last entry, ``oldest`` the position before seq 1. A seq above head is
        ``newest``. With ``messages_only`` other entries are neither returned nor counted, also not at the anchor.
        """

    @abstractmethod
    async def state(self, room: RoomId) -> RoomState:
        """Return the room's state as of its head; the empty state with head 0 for a room without entries.

        Of a private room, also of one without entries, it has the blocks between its two users.
        """

    async def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        """Return up to ``limit`` members and invited users of the room with ids above ``after``; None for the first.

        A leader of the room also gets the banned users (`permissions.sees_banned`). Override it if the store can read a
        page without the whole state.
        """
        state = await self.state(room)
        member = state.members.get(user)
        users = sorted(
            (other, membership)
            for other, membership in state.members.items()
            if (after is None or other > after) and (membership.state != "banned" or sees_banned(member))
        )
        return RoomMembers(kind=state.kind, member=member, users=users[:limit], has_after=len(users) > limit)

    @abstractmethod
    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        """Return the rooms in which the user is a member or invited: all, or only ``room``. They have no order."""

    @abstractmethod
    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        """Return the view of each room of ``cursors`` in which the user is a member, and the entries above its cursor.

        ``entries`` has all entries above the cursor, with messages in their present state; None if they are more than
        ``limit``. It is also None for every further room, in the order of ``cursors``, once the texts that were read
        (`text_bytes`) have more than ``size`` bytes in total. This bounds the memory of a call. Rooms in which the
        user is no member are left out. All rooms are read in one snapshot and one round trip.
        """

    @abstractmethod
    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        """Return up to ``limit`` rooms in which the user is a member or invited, newest last entry first.

        ``after`` is the ``next`` of a page. Raises `Invalid` (field ``after``) for a string that is no page token.
        """

    @abstractmethod
    async def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        """Return up to ``limit`` public rooms with a title that begins with ``prefix``, as the user sees them.

        They are in the order of the forms of their titles (`title_form`), then of their ids. Rooms without members, and
        those from which the user is banned, are left out. A call looks at `PUBLIC_ROOMS_LOOKED_AT` rooms at most: a
        page may have fewer rooms than ``limit``, or none, and a ``next`` all the same.

        Args:
            user: the user, who need not be a member of the rooms.
            prefix: the form of the first characters of the titles; empty for all public rooms.
            after: the ``next`` of a page with any prefix; None for the first page. Raises `Invalid` (field ``after``)
                for a string that is no page token.
            limit: the most rooms.
        """

    async def overview(self, user: UserId, limit: int) -> Overview:
        """Return the user's memberships and the first page of rooms. Override it if one read can return both."""
        memberships = await self.memberships(user)
        return Overview(memberships=memberships, page=await self.page(user, None, limit))

    @abstractmethod
    async def unread_total(self, user: UserId) -> UnreadTotal:
        """Return the unread messages in the rooms of which the user is a member and that the user has not muted."""

    @abstractmethod
    async def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        """Return those of ``others`` with whom the user shares a room: both are members or invited."""

    @abstractmethod
    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        """Return those of ``others`` who are members of a room of which the user is a member."""

    @abstractmethod
    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        """Return the room as each of ``users`` sees it, members or not; empty for a room without entries."""
