"""The port of a store for the logs of rooms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import frozen

from ..domain.entries import Entry, Message, RoomKind
from ..domain.state import Member, RoomState, RoomView
from ..ids import Key, RoomId, Seq, UserId

Position: TypeAlias = int
"""The position of an entry in the change feed of a store. Opaque; it does not order the entries of a room."""


@frozen(kw_only=True)
class AppendResult:
    """The result of an append.

    Attributes:
        written: how many of the entries are durable, counted from the first.
        taken: the entry that already has the author and key of the first entry that was not written. If it is None
            and entries were not written, another writer has written that seq. If both the seq and the key are taken,
            a store may report either.
    """

    written: int
    taken: Entry | None = None


@frozen(kw_only=True)
class LogSlice:
    """The entries above a seq and the entries of some keys, as of one snapshot.

    Attributes:
        head: the room's head.
        first: the entry of each requested author and key that the room has.
    """

    head: Seq
    entries: Sequence[Entry]
    first: Mapping[tuple[UserId, Key], Entry]


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
    member: Member | None
    entries: Sequence[Entry]
    has_before: bool
    has_after: bool


@frozen(kw_only=True)
class RoomMembership:
    """A user's membership in a room, and the room's head, as of one snapshot."""

    room: RoomId
    head: Seq
    member: Member


@frozen(kw_only=True)
class RoomCatchUp:
    """A room as a member sees it, and the entries above a cursor or None if they are too many, as of one snapshot."""

    view: RoomView
    entries: Sequence[Entry] | None


@frozen(kw_only=True)
class Change:
    """``room`` has reached ``seq``. ``affects`` are the users whose memberships the entry at ``seq`` changed."""

    position: Position
    room: RoomId
    seq: Seq
    affects: tuple[UserId, ...] = ()


@frozen(kw_only=True)
class Changes:
    """Changes by ascending position, and whether the store has ``more`` after the last one."""

    changes: Sequence[Change]
    more: bool


class EntryLog(ABC):
    """Append-only logs of entries numbered 1, 2, 3 … without a hole.

    Every method is one atomic operation. Reads see only durable entries. Every method raises `Unavailable` if the store
    cannot be reached or does not answer within 2 seconds.
    """

    @abstractmethod
    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Write entries of one room if its head is just below the first. Their seqs follow each other.

        A call writes all entries or a prefix of them, and they are durable before it returns. ``(room, seq)`` and
        ``(room, author, key)`` are unique for ever. Calls for different rooms may share a commit; an error in the
        entries of one room does not affect the other rooms. After `Unavailable`, and after a cancellation, the outcome
        is unknown: the entries may be written, or be written later.
        """

    @abstractmethod
    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        """Return up to ``limit`` entries above ``after``, as written and ascending, and the entries of ``keys``.

        The entry of a key may be at any seq of the room.
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
        """Return the room's state as of its head; the empty state with head 0 for a room without entries."""

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
    async def changes(self, after: Position | None, limit: int) -> Changes:
        """Return up to ``limit`` changes after the position ``after``; the last one's position is the next ``after``.

        With None it returns only the newest change, as a start. If there is none the store is empty, and a caller
        starts from 0, which is below all positions.

        No change is missing, but a change may come more than once. Of a room's changes without ``affects`` only the
        newest has to come, so fewer than ``limit`` changes may be followed by more. No changes means that there is no
        more. A store whose positions do not become visible in order reads again the entries of the last 10 seconds.
        Changes contain no bodies.
        """
