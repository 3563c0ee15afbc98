"""The projection of one room's log: its state, its messages, and how a user sees it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ..ids import RoomId, Seq, UserId
from .decider import evolve
from .entries import Deleted, Edited, Entry, Message
from .message_projection import MessageChanges, target_of
from .redaction import redacted
from .state import MARKERS_SHOWN_TO, UNREAD_MAX, Marker, Membership, RoomState, RoomView


class RoomProjection:
    """The projection of a room's log up to ``state.head``. It keeps the whole log in memory."""

    def __init__(self, room: RoomId) -> None:
        self.state: RoomState = RoomState(room=room)
        self.entries: list[Entry] = []
        """The entries as written; seq n is at n - 1. The texts of deleted messages are gone."""
        self.messages: list[Seq] = []
        self.members: Mapping[UserId, Membership] = {}
        """The users who are members, without those who are invited or banned."""
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
        if entry.affects:
            self.members = {user: member for user, member in self.state.members.items() if member.state == "member"}
        match entry.event:
            case Message():
                self.messages.append(entry.seq)
            case Edited(target=target):
                self._edits.setdefault(target, []).append(entry.seq)
            case Deleted(target=target):
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

    def unread(self, user: UserId, above: Seq) -> Iterator[Seq]:
        """Yield the seqs of the user's unread messages above a seq. A deleted message is not unread."""
        for seq in islice(self.messages, bisect_right(self.messages, above), None):
            entry = self.entries[seq - 1]
            if entry.author != user and isinstance(entry.event, Message) and not entry.event.deleted:
                yield seq

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
            unread=sum(1 for _ in islice(self.unread(user, marker.counted_from), UNREAD_MAX)) if marker else 0,
            markers={member: markers[member] for member in self.members} if self.shows_markers else None,
        )

    @property
    def shows_markers(self) -> bool:
        """Whether the room has so few members that the markers of all of them are shown."""
        return len(self.members) <= MARKERS_SHOWN_TO
