"""The projection of one room's log: its state, its messages, and how a user sees it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from ..ids import RoomId, Seq, UserId
from .decider import evolve
from .entries import Deleted, Edited, Entry, Message, Updated
from .message_projection import MessageChanges, target_of
from .names import title_form
from .page_tokens import TitlePlace
from .permissions import sees_banned
from .redaction import redacted
from .state import MARKERS_SHOWN_TO, UNREAD_MAX, Marker, Membership, RoomState, RoomView

T = TypeVar("T", Seq, UserId)


class RoomProjection:
    """The projection of a room's log up to ``state.head``. It keeps the whole log in memory."""

    def __init__(self, room: RoomId) -> None:
        self.state: RoomState = RoomState(room=room)
        self.entries: list[Entry] = []
        """The entries as written; seq n is at n - 1. The texts of deleted messages are gone."""
        self.messages: list[Seq] = []
        self.members: Mapping[UserId, Membership] = {}
        """The users who are members, without those who are invited or banned."""
        self._title_form = ""
        self._users: list[UserId] = []
        """The users with a membership, in the order of their ids."""
        self._listed: list[UserId] = []
        """The same without the banned users."""
        self._unread: list[Seq] = []
        """The messages that are not deleted."""
        self._unread_by: dict[UserId, list[Seq]] = {}
        """The same of each author."""
        self._changes: dict[Seq, MessageChanges] = {}
        self._edits: dict[Seq, list[Seq]] = {}

    def apply(self, entries: Iterable[Entry]) -> None:
        """Apply the entries above ``state.head``, and ignore the others."""
        for entry in entries:
            if entry.seq > self.state.head:
                self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        self.state = evolve(self.state, entry)
        self.entries.append(entry)
        if entry.opens or isinstance(entry.event, Updated):
            self._title_form = title_form(self.state.title or "")
        if entry.affects:
            self.members = {user: member for user, member in self.state.members.items() if member.state == "member"}
            for user in entry.affects:
                _put(self._users, user, present=user in self.state.members)
                _put(self._listed, user, present=self.listed_member(user) is not None)
        match entry.event:
            case Message():
                self.messages.append(entry.seq)
                if not entry.event.deleted:
                    self._unread.append(entry.seq)
                    self._unread_by.setdefault(entry.author, []).append(entry.seq)
            case Edited(target=target):
                self._edits.setdefault(target, []).append(entry.seq)
            case Deleted(target=target):
                _put(self._unread, target, present=False)
                _put(self._unread_by.get(self.entries[target - 1].author, []), target, present=False)
                for seq in (target, *self._edits.get(target, ())):
                    self.entries[seq - 1] = redacted(self.entries[seq - 1])
            case _:
                pass
        if changed := target_of(entry):
            self._changes.setdefault(changed, MessageChanges()).apply(entry)

    def listed_member(self, user: UserId) -> Membership | None:
        """Return the user's membership if the user is a member or invited: lists of rooms show only these."""
        member = self.state.members.get(user)
        return member if member and member.state != "banned" else None

    def has_banned(self, user: UserId) -> bool:
        """Return whether the user is banned."""
        member = self.state.members.get(user)
        return member is not None and member.state == "banned"

    @property
    def public_place(self) -> TitlePlace | None:
        """The room's place in the list of public rooms; None for a room that is not public or has no members."""
        return TitlePlace(self._title_form, self.state.room) if self.state.kind == "public" and self.members else None

    def present(self, user: UserId, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries with messages in their present state."""
        if not self._changes:
            return entries
        return [
            changes.present(entry, user) if (changes := self._changes.get(entry.seq)) else entry for entry in entries
        ]

    def around(
        self, user: UserId, place: Seq, before: int, after: int, *, messages_only: bool
    ) -> tuple[Sequence[Entry], bool, bool]:
        """Return the entries around a seq as ``user`` sees them, and whether there are more before and after them."""
        seqs = self.messages if messages_only else range(1, self.state.head + 1)
        first = max(bisect_left(seqs, place) - before, 0)
        last = bisect_right(seqs, place) + after
        entries = [self.entries[seq - 1] for seq in seqs[first:last]] if messages_only else self.entries[first:last]
        return self.present(user, entries), first > 0, last < len(seqs)

    def users(
        self, reader: UserId, after: UserId | None, limit: int
    ) -> tuple[Sequence[tuple[UserId, Membership]], bool]:
        """Return up to ``limit`` users with ids above ``after``, as ``reader`` sees them, and whether others follow."""
        members = self.state.members
        users = self._users if sees_banned(members.get(reader)) else self._listed
        first = 0 if after is None else bisect_right(users, after)
        return [(user, members[user]) for user in users[first : first + limit]], len(users) > first + limit

    def first_unread(self, user: UserId, above: Seq) -> Seq | None:
        """Return the seq of the user's first unread message above a seq. A deleted message is not unread."""
        own = self._unread_by.get(user, [])
        first, first_own = bisect_right(self._unread, above), bisect_right(own, above)

        def is_others(index: int) -> bool:
            # Up to the first message of another user, both lists have the same messages.
            return own[first_own + index : first_own + index + 1] != self._unread[first + index : first + index + 1]

        index = first + bisect_left(range(len(self._unread) - first), x=True, key=is_others)
        return self._unread[index] if index < len(self._unread) else None

    def unread(self, user: UserId, above: Seq) -> int:
        """Return how many messages above a seq are unread, at most `UNREAD_MAX`."""
        own = self._unread_by.get(user, [])
        messages = len(self._unread) - bisect_right(self._unread, above)
        return min(messages - len(own) + bisect_right(own, above), UNREAD_MAX)

    def view(self, user: UserId, markers: Mapping[UserId, Marker]) -> RoomView:
        """Return the room as ``user`` sees it.

        ``markers`` holds the markers of all members if `shows_markers`, else at least the marker of ``user``.
        """
        state, marker = self.state, markers.get(user)
        assert state.kind is not None
        return RoomView(
            room=state.room,
            kind=state.kind,
            title=state.title,
            head=state.head,
            members_count=len(self.members),
            last=self.entries[-1],
            member=state.members.get(user),
            marker=marker,
            unread=self.unread(user, marker.counted_from) if marker else 0,
            markers={member: markers[member] for member in self.members} if self.shows_markers else None,
        )

    @property
    def shows_markers(self) -> bool:
        """Whether the room has so few members that the markers of all of them are shown."""
        return len(self.members) <= MARKERS_SHOWN_TO


def _put(items: list[T], item: T, *, present: bool) -> None:
    """Add ``item`` to a sorted list, or remove it, unless that is done."""
    index = bisect_left(items, item)
    if (items[index : index + 1] == [item]) != present:
        items[index : index + (not present)] = [item] if present else []
