"""The log of every room: the one truth."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import frozen

from ..domain.entries import Entry, Message, RoomKind
from ..domain.state import Member, RoomState, RoomView
from ..ids import Key, RoomId, Seq, UserId

Position: TypeAlias = int
"""Where an entry stands among all entries of the store. Opaque; it says nothing about order inside a room."""


@frozen(kw_only=True)
class AppendResult:
    """How an append ended: the first ``written`` entries are durable, the next one was not written for a reason.

    ``taken`` is the entry that already holds the (author, key) of the first entry that was not written. Where it is
    None and ``written`` is less than what was asked for, somebody else wrote that seq first. When both are true at
    once a store may report either.
    """

    written: int
    taken: Entry | None = None


@frozen(kw_only=True)
class LogSlice:
    """What lies above a seq, the room's head, and the first entries of the keys that were asked for; one snapshot."""

    head: Seq
    entries: Sequence[Entry]
    first: Mapping[tuple[UserId, Key], Entry]


@frozen(kw_only=True)
class FirstUnread:
    """The anchor of a window at the first unread message of a user who has read up to ``read``, else at ``newest``.

    ``read`` is the marker's ``counted_from``. A deleted message is not unread.
    """

    user: UserId
    read: Seq

    def is_unread(self, entry: Entry) -> bool:
        if entry.seq <= self.read or entry.author == self.user:
            return False
        return isinstance(entry.event, Message) and not entry.event.deleted


Anchor: TypeAlias = Literal["newest", "oldest"] | Seq | FirstUnread


@frozen(kw_only=True)
class Window:
    """Entries around an anchor, ascending, messages in their present state, as of ``head``; one snapshot.

    ``member`` is the standing of the user who reads. ``kind`` is None, and ``head`` 0, for a room that is unborn.
    """

    head: Seq
    kind: RoomKind | None
    member: Member | None
    entries: Sequence[Entry]
    has_before: bool
    has_after: bool


@frozen(kw_only=True)
class RoomMembership:
    """One of a user's rooms: its head and the user's standing in it, as of one snapshot."""

    room: RoomId
    head: Seq
    member: Member


@frozen(kw_only=True)
class RoomCatchUp:
    """A room as its member sees it, and what lies above a cursor, or None where that is too much; one snapshot."""

    view: RoomView
    entries: Sequence[Entry] | None


@frozen(kw_only=True)
class Change:
    """That ``room`` has reached ``seq``; ``affects`` names the users whose membership the entry at ``seq`` changed."""

    position: Position
    room: RoomId
    seq: Seq
    affects: tuple[UserId, ...] = ()


@frozen(kw_only=True)
class Changes:
    """What changed, by ascending position, and whether there is ``more`` behind it already."""

    changes: Sequence[Change]
    more: bool


class EntryLog(ABC):
    """Append-only logs of entries numbered 1, 2, 3 … without a hole.

    Every method is one atomic operation; reads see only what is durable. All of them raise `Unavailable` when the
    store can't be reached, or does not answer within 2 seconds.
    """

    @abstractmethod
    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Write ``entries`` of one room, whose seqs follow each other, where the room's head is just below the first.

        What is written is always a prefix, durable before this returns. ``(room, seq)`` and ``(room, author, key)``
        are unique for ever. Calls for different rooms may share a commit; a fault of one room's entries does not
        touch the others'. After `Unavailable`, and after a cancellation, the outcome is unknown: the entries may be
        there, or get there later.
        """

    @abstractmethod
    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        """Up to ``limit`` entries above ``after``, as written, ascending, the head, and for each of ``keys`` the
        entry that holds it, if any, wherever in the room it stands."""

    @abstractmethod
    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        """Up to ``before`` entries before the anchor, the entry at the anchor, and up to ``after`` after it.

        ``newest`` is the place behind the last entry, ``oldest`` the place before seq 1; a seq above head is
        ``newest``. With ``messages_only`` everything is of messages only, and an anchor that is none is left out.
        """

    @abstractmethod
    async def state(self, room: RoomId) -> RoomState:
        """The room's state as of its head; of an unborn room the empty state with head 0."""

    @abstractmethod
    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        """The rooms in which the user is a member or invited, all of them or only ``room``, in no order."""

    @abstractmethod
    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        """For each room of ``cursors`` in which the user is a member: how they see it, and what lies above its cursor.

        ``entries`` are all that is above, messages in their present state, or None when these are more than ``limit``
        entries; also None for every further room, in the order of ``cursors``, once the texts read (`text_bytes`)
        have more than ``size`` bytes together: so the memory of one call is bounded. Other rooms are left out. One
        snapshot and one round trip for all rooms.
        """

    @abstractmethod
    async def changes(self, after: Position | None, limit: int) -> Changes:
        """Up to ``limit`` changes since a call that gave ``after``; the last one's position is the next ``after``.
        None gives only the newest change, to start from; where it gives nothing the store is empty, and one starts
        from 0, which lies before every position.

        Complete, not exact: a change may come again, and of a room's changes without ``affects`` only the newest
        need come: so there may be more behind fewer than ``limit``. Where there are none there is no more. A store
        whose positions do not become visible in order reaches back far enough by itself (it looks again at what was
        written in the last 10 seconds). Never bodies.
        """
