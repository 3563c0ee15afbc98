"""What became of a message after it was written."""

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field

from chatcore.domain.entries import REACTION_USERS_MAX, Edited, Entry, Message, Reacted, Reaction
from chatcore.domain.redaction import redacted
from chatcore.ids import Seq, UserId


@define
class Changes:
    """The edits of a message, and who put which emoji on it: both in the order in which they came."""

    edits: list[Seq] = field(factory=list)
    reactions: dict[str, dict[UserId, None]] = field(factory=dict)

    def react(self, reacted: Reacted, user: UserId) -> None:
        users = self.reactions.setdefault(reacted.emoji, {})
        if reacted.on:
            users.setdefault(user)
        else:
            users.pop(user, None)
        if not users:
            del self.reactions[reacted.emoji]

    def present(self, entry: Entry, log: Sequence[Entry], user: UserId) -> Entry:
        """The message in its present state, as ``user`` sees it; ``log`` holds seq n at n - 1."""
        message = entry.event
        assert isinstance(message, Message)
        if self.edits:
            edit = log[self.edits[-1] - 1]
            assert isinstance(edit.event, Edited)
            message = evolve(message, version=edit.event.version, body=edit.event.body or "", edited_at=edit.at)
        if message.deleted:
            return redacted(evolve(entry, event=message))
        return evolve(entry, event=evolve(message, reactions=self._reactions(user)))

    def _reactions(self, user: UserId) -> Mapping[str, Reaction]:
        return {
            emoji: Reaction(count=len(users), users=list(users)[:REACTION_USERS_MAX], mine=user in users)
            for emoji, users in self.reactions.items()
        }
