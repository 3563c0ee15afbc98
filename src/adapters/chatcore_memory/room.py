"""One room in memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice

from chatcore.domain.cursors import ListCursor, milliseconds
from chatcore.domain.entries import Entry, Message
from chatcore.domain.markers import starting_markers
from chatcore.domain.rooms import evolve
from chatcore.domain.state import MARKERS_SHOWN_TO, UNREAD_MAX, Marker, RoomState, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.room_log import Anchor, Appended, FirstUnread, Window


class MemoryRoom:
    """A room's log, and what is folded out of it."""

    def __init__(self, room: RoomId, number: int) -> None:
        self.number = number
        self.state = RoomState(room=room)
        self.entries: list[Entry] = []
        self.messages: list[Entry] = []
        self.by_key: dict[tuple[UserId, Key], Entry] = {}
        self.markers: dict[UserId, Marker] = {}
        self.members: list[UserId] = []

    def append(self, entries: Sequence[Entry]) -> Appended:
        """Write a prefix of ``entries``, as `RoomLog.append` says."""
        for written, entry in enumerate(entries):
            if entry.seq != self.state.head + 1:
                return Appended(written=written)
            if taken := self.by_key.get((entry.author, entry.key)):
                return Appended(written=written, taken=taken)
            self._write(entry)
        return Appended(written=len(entries))

    def _write(self, entry: Entry) -> None:
        self.state = evolve(self.state, entry)
        self.entries.append(entry)
        if isinstance(entry.event, Message):
            self.messages.append(entry)
        self.by_key[entry.author, entry.key] = entry
        if entry.affects:
            self.markers.update(starting_markers(entry))
            self.members = [user for user, one in self.state.members.items() if one.standing == "member"]

    def above(self, seq: Seq, limit: int) -> Sequence[Entry]:
        start = max(seq, 0)
        return self.entries[start : start + limit]

    def window(self, user: UserId, anchor: Anchor, before: int, after: int, *, messages_only: bool) -> Window:
        entries = self.messages if messages_only else self.entries
        place = self._place(anchor)
        at = bisect_left(entries, place, key=_seq)
        behind = bisect_right(entries, place, key=_seq)
        first, last = max(at - before, 0), behind + after
        return Window(
            head=self.state.head,
            kind=self.state.kind,
            member=self.state.members.get(user),
            entries=entries[first:last],
            has_before=first > 0,
            has_after=last < len(entries),
        )

    def _place(self, anchor: Anchor) -> Seq:
        newest = self.state.head + 1
        match anchor:
            case "newest":
                return newest
            case "oldest":
                return 0
            case FirstUnread(read=read):
                start = bisect_right(self.messages, read, key=_seq)
                unread = (entry.seq for entry in islice(self.messages, start, None) if anchor.is_unread(entry))
                return next(unread, newest)
            case seq:
                return seq

    def is_member(self, user: UserId) -> bool:
        member = self.state.members.get(user)
        return member is not None and member.standing == "member"

    def is_listed_for(self, user: UserId) -> bool:
        member = self.state.members.get(user)
        return member is not None and member.standing in ("member", "invited")

    def place_in_list(self) -> ListCursor:
        return ListCursor(milliseconds(self.entries[-1].at), self.number)

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
            unread=self._unread(user, marker),
            markers=self._markers_shown(),
        )

    def marker(self, user: UserId) -> Marker | None:
        return self.markers[user] if self.is_member(user) else None

    def _markers_shown(self) -> Mapping[UserId, Marker] | None:
        if len(self.members) > MARKERS_SHOWN_TO:
            return None
        return {user: self.markers[user] for user in self.members}

    def _unread(self, user: UserId, marker: Marker | None) -> int:
        if marker is None:
            return 0
        start = bisect_right(self.messages, marker.read, key=_seq)
        others = (entry for entry in islice(self.messages, start, None) if entry.author != user)
        return sum(1 for _ in islice(others, UNREAD_MAX))


def _seq(entry: Entry) -> Seq:
    return entry.seq
