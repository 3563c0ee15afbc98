"""The entries of a room as a client shows them."""

from bisect import insort

from attrs import define, field

from ..domain.entries import Reaction
from ..domain.message_projection import with_user, without_user
from ..ids import Seq
from .effects import Entries, Object

CHANGES = ("edited", "deleted", "reacted")
TEXT_FIELDS = ("body", "data", "edited_at", "reactions")


@define(eq=False)
class Timeline:
    """The entries that a client has of one room, with messages in their present state.

    Their order of arrival makes no difference: entries that fill a hole may be older than those that came before.
    """

    _entries: dict[Seq, tuple[Object, Seq]] = field(factory=dict, init=False)
    """Each entry as it arrived, and the seq as of which a message is in that state."""
    _changes: dict[Seq, list[Seq]] = field(factory=dict, init=False)
    """The seqs of the changes to each message, ascending, also to messages that the client does not have."""
    _deleted: set[Seq] = field(factory=set, init=False)
    _presented: dict[Seq, Object] = field(factory=dict, init=False)
    """The present state of entries that were shown since they last changed."""

    def __contains__(self, seq: Seq) -> bool:
        return seq in self._entries

    def take(self, effect: Entries) -> None:
        """Add the entries that are new: "drops what it already has by `(room, seq)`"."""
        for entry in effect.entries:
            if entry["seq"] not in self._entries:
                self._entries[entry["seq"]] = entry, effect.as_of
                target = self._note_change(entry)
                self._redact(target)
                self._presented.pop(target, None)

    def __len__(self) -> int:
        return len(self._entries)

    def forget_below(self, seq: Seq) -> None:
        """Drop the entries below ``seq``. Taken again, they come as of a later head."""
        self._entries = {kept: entry for kept, entry in self._entries.items() if kept >= seq}
        self._presented = {kept: entry for kept, entry in self._presented.items() if kept >= seq}
        changes = {target: [change for change in seqs if change >= seq] for target, seqs in self._changes.items()}
        self._changes = {target: seqs for target, seqs in changes.items() if seqs}
        self._deleted &= self._changes.keys() | self._entries.keys()

    def entry(self, seq: Seq) -> Object:
        """Return an entry in its present state: the same object until it changes."""
        presented = self._presented.get(seq)
        if presented is None:
            presented = self._presented[seq] = self._present(seq)
        return presented

    def present(self) -> dict[Seq, Object]:
        """Return all entries by seq, ascending, equal to those of `history` if the client lacks none."""
        return {seq: self.entry(seq) for seq in sorted(self._entries)}

    def _note_change(self, entry: Object) -> Seq:
        """Note a change to a message. Returns the seq of the message that the entry is, or changes."""
        seq: Seq = entry["seq"]
        if entry["kind"] not in CHANGES:
            return seq
        target: Seq = entry["target"]
        insort(self._changes.setdefault(target, []), seq)
        if entry["kind"] == "deleted":
            self._deleted.add(target)
        return target

    def _redact(self, target: Seq) -> None:
        """ "A deleted message stays as a stub; its `edited` entries lose their body too." """
        if target not in self._deleted:
            return
        for seq in {target, *self._changes[target]} & self._entries.keys():
            entry, as_of = self._entries[seq]
            self._entries[seq] = _redacted(entry), as_of
            self._presented.pop(seq, None)

    def _present(self, seq: Seq) -> Object:
        """ "Apply one only when its seq is above the `head` that is kept with the message." """
        entry, as_of = self._entries[seq]
        for change in self._changes.get(seq, ()):
            if change > as_of:
                entry = _changed(entry, self._entries[change][0])
        return entry


def _redacted(entry: Object) -> Object:
    match entry["kind"]:
        case "message":
            return _stub(entry)
        case "edited":
            return _without(entry, "body")
        case _:
            return entry


def _changed(message: Object, change: Object) -> Object:
    """Return a message after an edit or a reaction. Deletions were applied when they arrived."""
    match change:
        case {"kind": "edited", "version": version, "body": body, "at": at}:
            return {**message, "version": version, "body": body, "edited_at": at}
        case {"kind": "edited", "version": version}:
            # An edit without a body: the message was deleted later.
            return {**_stub(message), "version": version}
        case {"kind": "reacted"} if not message.get("deleted"):
            return _reacted(message, change)
        case _:
            return message


def _reacted(message: Object, reacted: Object) -> Object:
    reactions = dict(message.get("reactions", {}))
    emoji, author = reacted["emoji"], reacted["author"]
    before = reactions.pop(emoji, {"count": 0, "users": []})
    reaction = Reaction(count=before["count"], users=before["users"])
    reaction = with_user(reaction, author) if reacted["on"] else without_user(reaction, author)
    if reaction.count > 0:
        reactions[emoji] = {**before, "count": reaction.count, "users": list(reaction.users)}
    return {**_without(message, "reactions"), **({"reactions": reactions} if reactions else {})}


def _stub(message: Object) -> Object:
    return {**_without(message, *TEXT_FIELDS), "deleted": True}


def _without(entry: Object, *names: str) -> Object:
    return {name: value for name, value in entry.items() if name not in names}
