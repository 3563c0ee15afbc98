"""The projection of a log to the present state of its messages: last edit, deletion and reactions."""

from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import islice

from attrs import define, evolve, field, frozen

from ..ids import Seq, UserId
from .entries import REACTION_USERS_MAX, Deleted, Edited, Entry, Message, Reacted, Reaction


def target_of(entry: Entry) -> Seq | None:
    """Return the seq of the message that the entry changes, or None if it changes none."""
    match entry.event:
        case Edited(target=target) | Deleted(target=target) | Reacted(target=target):
            return target
        case _:
            return None


@frozen(kw_only=True)
class LastEdit:
    """The last edit of a message. ``body`` is None once the message is deleted."""

    version: int
    body: str | None
    at: datetime


def present(entry: Entry, edit: LastEdit | None, reactions: Mapping[str, Reaction]) -> Entry:
    """Return a written message in its present state. Other entries are returned unchanged.

    A store redacts a deleted message in its log, so the message only gets its last version here.
    """
    message = entry.event
    if not isinstance(message, Message) or not (edit or reactions):
        return entry
    if message.deleted:
        return evolve(entry, event=evolve(message, version=edit.version)) if edit else entry
    if edit:
        message = evolve(message, version=edit.version, body=edit.body or "", edited_at=edit.at)
    return evolve(entry, event=evolve(message, reactions=reactions))


@define
class MessageChanges:
    """The changes to one message. They are applied in the order of the log."""

    edit: LastEdit | None = None
    reactions: dict[str, dict[UserId, None]] = field(factory=dict)
    """The users of each emoji. Emoji and users are in the order of the log."""

    def apply(self, entry: Entry) -> None:
        match entry.event:
            case Edited(version=version, body=body):
                self.edit = LastEdit(version=version, body=body, at=entry.at)
            case Deleted():
                self.reactions.clear()
            case Reacted(emoji=emoji, on=on):
                users = self.reactions.setdefault(emoji, {})
                react(users, entry.author, on=on)
                if not users:
                    del self.reactions[emoji]
            case _:
                pass

    def present(self, entry: Entry, user: UserId) -> Entry:
        """Return the message as ``user`` sees it. ``entry`` is the written message, redacted if it is deleted."""
        return present(entry, self.edit, {emoji: reaction_of(users, user) for emoji, users in self.reactions.items()})


def react(users: dict[UserId, None], user: UserId, *, on: bool) -> None:
    """Apply a `Reacted` event to the users of its emoji. A user who has reacted keeps their place."""
    if on:
        users.setdefault(user)
    else:
        users.pop(user, None)


def reaction_of(users: Collection[UserId], user: UserId) -> Reaction:
    """Return the reaction of ``users``, who are in the order of the log, as ``user`` sees it."""
    return Reaction(count=len(users), users=list(islice(users, REACTION_USERS_MAX)), mine=user in users)


def with_user(reaction: Reaction, user: UserId) -> Reaction:
    """Return the reaction with one more user. The user is the last one, so is named only if all others are."""
    all_named = len(reaction.users) == reaction.count < REACTION_USERS_MAX
    return evolve(reaction, count=reaction.count + 1, users=(*reaction.users, user) if all_named else reaction.users)


def without_user(reaction: Reaction, user: UserId) -> Reaction:
    """Return the reaction without one of its users. The next user to be named is not known here."""
    return evolve(reaction, count=reaction.count - 1, users=[other for other in reaction.users if other != user])
