"""What a client shows of a room."""

from bisect import insort

from attrs import define, field

from ..domain.entries import Reaction
from ..domain.message_projection import with_user, without_user
from ..ids import Seq
from .effects import Entries, Object

CHANGES = ("edited", "deleted", "reacted")
TEXTS = ("body", "data", "edited_at", "reactions")


@define(eq=False)
class Timeline:
    """The entries that a client has of one room, with messages in their present state.

    In which order they came makes no difference: what fills a hole may be older than what was there before it.
    """

    _held: dict[Seq, tuple[Object, Seq]] = field(factory=dict, init=False)
    """Each entry as it came, and the seq as of which it says how things are."""
    _changes: dict[Seq, list[Seq]] = field(factory=dict, init=False)
    """The changes of each message, ascending, whether or not the message is here."""
    _deleted: set[Seq] = field(factory=set, init=False)

    def take(self, found: Entries) -> None:
        """Add what is not here yet: "drops what it already has by `(room, seq)`"."""
        for entry in found.entries:
            if entry["seq"] not in self._held:
                self._held[entry["seq"]] = entry, found.as_of
                self._redact(self._noted(entry))

    def present(self) -> dict[Seq, Object]:
        """All entries by seq, ascending, as `history` would give them if nothing is lacking."""
        return {seq: self._present(seq) for seq in sorted(self._held)}

    def _noted(self, entry: Object) -> Seq:
        """The message that the entry is, or changes."""
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
        for seq in {target, *self._changes[target]} & self._held.keys():
            entry, as_of = self._held[seq]
            self._held[seq] = _redacted(entry), as_of

    def _present(self, seq: Seq) -> Object:
        """ "Apply one only when its seq is above the `head` that is kept with the message." """
        entry, as_of = self._held[seq]
        for change in self._changes.get(seq, ()):
            if change > as_of:
                entry = _changed(entry, self._held[change][0])
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
    """What an edit or a reaction makes of a message; a deletion has been done already."""
    match change:
        case {"kind": "edited", "version": version, "body": body, "at": at}:
            return {**message, "version": version, "body": body, "edited_at": at}
        case {"kind": "edited", "version": version}:
            # Without a body: the message has been deleted since.
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
    return {**_without(message, *TEXTS), "deleted": True}


def _without(entry: Object, *names: str) -> Object:
    return {name: value for name, value in entry.items() if name not in names}
