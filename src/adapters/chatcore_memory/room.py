"""One room in memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from chatcore.domain.decider import evolve
from chatcore.domain.entries import Deleted, Edited, Entry, Message
from chatcore.domain.markers import starting_markers
from chatcore.domain.message_projection import MessageChanges, target_of
from chatcore.domain.page_tokens import PageToken, milliseconds
from chatcore.domain.redaction import redacted
from chatcore.domain.state import MARKERS_SHOWN_TO, UNREAD_MAX, Marker, MarkerUpdate, RoomState, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import Anchor, AppendResult, FirstUnread, Window


class MemoryRoom:
    """A room's log, and what is folded out of it."""

    def __init__(self, room: RoomId, number: int) -> None:
        self._number = number
        self.state = RoomState(room=room)
        self.entries: list[Entry] = []
        self._messages: list[Seq] = []
        self._changes: dict[Seq, MessageChanges] = {}
        self._edits: dict[Seq, list[Seq]] = {}
        self._by_key: dict[tuple[UserId, Key], Seq] = {}
        self.markers: dict[UserId, Marker] = {}
        self.members: list[UserId] = []

    def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Write a prefix of ``entries``, as `RoomLog.append` says."""
        for written, entry in enumerate(entries):
            if entry.seq != self.state.head + 1:
                return AppendResult(written=written)
            if taken := self.holder((entry.author, entry.key)):
                return AppendResult(written=written, taken=taken)
            self._write(entry)
        return AppendResult(written=len(entries))

    def _write(self, entry: Entry) -> None:
        self.state = evolve(self.state, entry)
        self.entries.append(entry)
        self._by_key[entry.author, entry.key] = entry.seq
        if entry.affects:
            self.markers.update(starting_markers(entry))
            self.members = [user for user, one in self.state.members.items() if one.standing == "member"]
        match entry.event:
            case Message():
                self._messages.append(entry.seq)
            case Edited(target=target):
                self._edits.setdefault(target, []).append(entry.seq)
            case Deleted(target=target):
                for seq in (target, *self._edits.get(target, ())):
                    self.entries[seq - 1] = redacted(self.entries[seq - 1])
            case _:
                pass
        if changed := target_of(entry):
            self._changes.setdefault(changed, MessageChanges()).apply(entry)

    @property
    def place_in_list(self) -> PageToken:
        """Where the room stands in its members' lists; it has entries."""
        return PageToken(milliseconds(self.entries[-1].at), self._number)

    def holder(self, key: tuple[UserId, Key]) -> Entry | None:
        """The entry that holds the key of an author, as written."""
        seq = self._by_key.get(key)
        return None if seq is None else self.entries[seq - 1]

    def above(self, seq: Seq, limit: int) -> Sequence[Entry]:
        """Entries as written."""
        start = max(seq, 0)
        return self.entries[start : start + limit]

    def present(self, user: UserId, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Entries with messages in their present state."""
        return [
            changes.present(entry, user) if (changes := self._changes.get(entry.seq)) else entry for entry in entries
        ]

    def window(self, user: UserId, anchor: Anchor, before: int, after: int, *, messages_only: bool) -> Window:
        seqs = self._messages if messages_only else range(1, self.state.head + 1)
        place = self._place(anchor)
        at, behind = bisect_left(seqs, place), bisect_right(seqs, place)
        first, last = max(at - before, 0), behind + after
        return Window(
            head=self.state.head,
            kind=self.state.kind,
            member=self.state.members.get(user),
            entries=self.present(user, [self.entries[seq - 1] for seq in seqs[first:last]]),
            has_before=first > 0,
            has_after=last < len(seqs),
        )

    def _place(self, anchor: Anchor) -> Seq:
        newest = self.state.head + 1
        match anchor:
            case "newest":
                return newest
            case "oldest":
                return 0
            case FirstUnread():
                return next(self._unread(anchor), newest)
            case seq:
                return seq

    def is_member(self, user: UserId) -> bool:
        member = self.state.members.get(user)
        return member is not None and member.standing == "member"

    def is_listed_for(self, user: UserId) -> bool:
        member = self.state.members.get(user)
        return member is not None and member.standing in ("member", "invited")

    def view(self, user: UserId) -> RoomView:
        state = self.state
        assert state.kind is not None
        marker = self.marker(user)
        return RoomView(
            room=state.room,
            kind=state.kind,
            title=state.title,
            head=state.head,
            members_count=len(self.members),
            last=self.entries[-1],
            member=state.members.get(user),
            marker=marker,
            unread=self._unread_count(user, marker),
            markers=self._markers_shown(),
        )

    def marker(self, user: UserId) -> Marker | None:
        return self.markers[user] if self.is_member(user) else None

    def mark(self, user: UserId, change: MarkerUpdate) -> None:
        """As `Markers.mark` says."""
        if (marker := self.marker(user)) and change.fits(self.state.head):
            self.markers[user] = change.applied(marker)

    def _markers_shown(self) -> Mapping[UserId, Marker] | None:
        if len(self.members) > MARKERS_SHOWN_TO:
            return None
        return {user: self.markers[user] for user in self.members}

    def _unread_count(self, user: UserId, marker: Marker | None) -> int:
        if marker is None:
            return 0
        unread = self._unread(FirstUnread(user=user, read=marker.counted_from))
        return sum(1 for _ in islice(unread, UNREAD_MAX))

    def _unread(self, start: FirstUnread) -> Iterator[Seq]:
        seqs = islice(self._messages, bisect_right(self._messages, start.read), None)
        return (seq for seq in seqs if start.is_unread(self.entries[seq - 1]))
