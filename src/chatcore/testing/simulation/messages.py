"""What becomes of the messages of one log, worked out from its entries as they were written."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from attrs import evolve

from ...domain.entries import Deleted, Edited, Entry, Message, Reacted, Reaction
from ...domain.redaction import redacted
from ...ids import Seq, UserId


class Messages:
    """The messages of a log at any of its heads; ``entries`` holds seq n at n - 1."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._changes: dict[Seq, list[Entry]] = defaultdict(list)
        self._deleted: dict[Seq, Seq] = {}
        for entry in entries:
            match entry.event:
                case Edited(target=target) | Reacted(target=target):
                    self._changes[target].append(entry)
                case Deleted(target=target):
                    self._deleted[target] = entry.seq
                case _:
                    pass

    def erased_at(self, seq: Seq) -> Seq | None:
        """The seq of the deletion that erases the text at ``seq``, and its digest; None where nothing does."""
        event = self._entries[seq - 1].event
        return self._deleted.get(event.target if isinstance(event, Edited) else seq)

    def written(self, seq: Seq, head: Seq) -> Entry:
        """The entry at ``seq`` as the log holds it at ``head``."""
        entry, erased_at = self._entries[seq - 1], self.erased_at(seq)
        return entry if erased_at is None or erased_at > head else redacted(entry)

    def present(self, seq: Seq, head: Seq, user: UserId) -> Entry:
        """The entry at ``seq`` as ``user`` reads it at ``head``: a message in its present state."""
        entry = self.written(seq, head)
        if not isinstance(entry.event, Message):
            return entry
        changes = [change for change in self._changes.get(seq, ()) if change.seq <= head]
        message = _edited(entry.event, changes)
        if not message.deleted:
            message = evolve(message, reactions=_reactions(changes, user))
        return evolve(entry, event=message)


def _edited(message: Message, changes: Sequence[Entry]) -> Message:
    for change in changes:
        if isinstance(change.event, Edited):
            version, body = change.event.version, change.event.body or ""
            edited = evolve(message, version=version, body=body, edited_at=change.at)
            message = evolve(message, version=version) if message.deleted else edited
    return message


def _reactions(changes: Sequence[Entry], user: UserId) -> Mapping[str, Reaction]:
    given: dict[str, list[UserId]] = {}
    for change in changes:
        if isinstance(change.event, Reacted):
            users = given.setdefault(change.event.emoji, [])
            if change.event.on:
                users.append(change.author)
            else:
                users.remove(change.author)
            if not users:
                del given[change.event.emoji]
    return {emoji: Reaction(count=len(users), users=users, mine=user in users) for emoji, users in given.items()}
