"""One room as a client shows it: its Room, its messages, and who types."""

from collections.abc import Sequence

from attrs import define, field

from ..ids import RoomId, Seq, UserId
from .cursor import RoomCursor
from .effects import Entries, Object
from .marks import ReadMark
from .outgoing import Outgoing
from .room_object import UNREAD_MAX, after_entry, after_marker, not_before, with_defaults, with_read
from .timeline import CHANGES, Timeline
from .typing import OwnTyping


@define(eq=False)
class Conversation:
    """What a client has of one room.

    Attributes:
        outgoing: the user's messages whose entries have not come, by key, in the order of `send`.
    """

    room: RoomId
    timeline: Timeline = field(factory=Timeline, init=False)
    typists: tuple[UserId, ...] = field(default=(), init=False)
    outgoing: dict[str, Outgoing] = field(factory=dict, init=False)
    mark: ReadMark = field(factory=ReadMark, init=False)
    typing: OwnTyping = field(factory=OwnTyping, init=False)
    _info: Object | None = field(default=None, init=False)
    """The Room, as of its head, without what is not answered."""
    _acknowledged: dict[str, Seq] = field(factory=dict, init=False)
    """The keys of the outgoing messages that are acknowledged."""
    _messages: dict[Seq, tuple[Object, Object]] = field(factory=dict, init=False)
    """Each entry that was shown as a message, and the message."""

    @property
    def is_known(self) -> bool:
        """Whether the user is a member of the room, or invited."""
        return self._info is not None

    # Its Room.

    def take_room(self, fields: Object, cursor: RoomCursor | None, user: UserId) -> bool:
        """Take a Room, or some of its fields, from the server.

        "A Room is as of its `head`. When pushes overtook an answer that shows a Room, … apply the entries that the
        client has above that `head` to the Room again."

        Returns:
            Whether the Room follows from what the client has. Otherwise `room.get` is to be asked.
        """
        before = self._info
        if "kind" in fields:
            self._info = with_defaults(fields)
        elif before is None or before["epoch"] != fields["epoch"]:
            return False
        elif cursor and before["head"] > cursor.seq:  # `reset`: the log has lost entries
            self._info = {**before, "head": cursor.seq}
        follows = self._follow(cursor, user)
        if self._info and "kind" not in fields:
            self._info = {**self._info, **{name: fields[name] for name in ("me", "markers") if name in fields}}
        if self._info and before and before["epoch"] == self._info["epoch"]:
            self._info = not_before(self._info, before)
        return follows

    def _follow(self, cursor: RoomCursor | None, user: UserId) -> bool:
        if self._info is None or cursor is None or cursor.epoch != self._info["epoch"]:
            return True
        head = self._info["head"]
        for seq in range(max(head + 1, cursor.complete_from), cursor.seq + 1):
            if seq in self.timeline:
                self._info = after_entry(self._info, self.timeline.entry(seq), user)
        return bool(head >= cursor.seq or head + 1 >= cursor.complete_from)

    def take_marker(self, user: UserId, marker: Object, own: UserId) -> None:
        if self._info and "me" in self._info:
            self._info = after_marker(self._info, user, marker, own)

    def info(self, user: UserId, cursor: RoomCursor | None) -> Object | None:
        """Return the Room as it is shown: with the position up to which the user has read."""
        if self._info is None or not self.mark.wanted:
            return self._info
        return with_read(self._info, user, self.mark.wanted, self._unread_above(self.mark.wanted, user, cursor))

    def read(self) -> Seq:
        """Return the position up to which the user has read, as it is shown."""
        known: Seq = self._info["me"].get("read", 0) if self._info else 0
        return max(known, self.mark.wanted)

    def _unread_above(self, seq: Seq, user: UserId, cursor: RoomCursor | None) -> int | None:
        """Count the unread messages, if the client has all entries above ``seq``."""
        if cursor is None or cursor.complete_from > seq + 1:
            return None
        entries = [self.timeline.entry(above) for above in range(seq + 1, cursor.seq + 1) if above in self.timeline]
        unread = [entry for entry in entries if entry["kind"] == "message" and entry["author"] != user]
        return min(len([entry for entry in unread if not entry.get("deleted")]), UNREAD_MAX)

    # Its entries.

    def take_entries(self, effect: Entries, cursor: RoomCursor | None, user: UserId) -> bool:
        """Take entries that the client lacked. Returns as `take_room`."""
        self.timeline.take(effect)
        self.drop_arrived(cursor)
        new = [entry for entry in effect.entries if entry["seq"] > self.head]
        authors = {entry["author"] for entry in new if entry["kind"] == "message"}
        self.typists = tuple(typist for typist in self.typists if typist not in authors)
        return self._follow(cursor, user)

    @property
    def head(self) -> Seq:
        """The head of its Room; 0 for a room that is not known."""
        return self._info["head"] if self._info else 0

    def forget_below(self, seq: Seq) -> None:
        """Drop the entries below ``seq``, which the client loads again when they are wanted."""
        self.timeline.forget_below(seq)
        self._messages = {kept: shown for kept, shown in self._messages.items() if kept >= seq}

    def forget_entries(self) -> None:
        """Drop the entries, because the room's log begins anew."""
        self.timeline = Timeline()
        self._messages.clear()

    def leave(self) -> None:
        """Drop everything but the messages that are not sent."""
        self.forget_entries()
        self.drop_acknowledged()
        self._info, self.typists = None, ()
        self.mark, self.typing = ReadMark(), OwnTyping()

    # Its messages.

    def acknowledge(self, message: Outgoing, seq: Seq, at: str, cursor: RoomCursor | None) -> None:
        """Show a message as sent: at the end, until its entry is among those of the room."""
        message.change(seq=seq, at=at)
        self._acknowledged[message.key] = seq
        self.drop_arrived(cursor)

    def discard(self, key: str) -> None:
        """Show a message no longer."""
        self.outgoing.pop(key, None)
        self._acknowledged.pop(key, None)

    def drop_acknowledged(self) -> None:
        """Show the acknowledged messages as entries only."""
        for key in list(self._acknowledged):
            self.discard(key)

    def drop_arrived(self, cursor: RoomCursor | None) -> None:
        """Drop the acknowledged messages whose entries are among those of the room now."""
        for key, seq in list(self._acknowledged.items()):
            if cursor and seq <= cursor.seq:
                self.discard(key)

    def messages(self, cursor: RoomCursor | None) -> Sequence[Object]:
        """Return what to show, oldest first: the newest entries without a gap, then what is not sent yet.

        Between them are acknowledged messages whose entries have not come.
        """
        seqs = range(cursor.complete_from, cursor.seq + 1) if cursor else ()
        shown = [self._message(seq) for seq in seqs if seq in self.timeline]
        tail = [message.shown(self.room) for message in self.outgoing.values()]
        return [
            *(message for message in shown if message["kind"] not in CHANGES),
            *(message for message in tail if "seq" in message),
            *(message for message in tail if "seq" not in message),
        ]

    def _message(self, seq: Seq) -> Object:
        entry = self.timeline.entry(seq)
        before = self._messages.get(seq)
        if before is None or before[0] is not entry:
            before = self._messages[seq] = entry, {**entry, "state": "sent"}
        return before[1]
