"""What a message becomes with each entry that changes it."""

from collections.abc import Mapping, Sequence

from attrs import evolve
from bson import ObjectId

from chatcore.domain.entries import REACTION_USERS_MAX, Deleted, Edited, Entry, Reacted, Reaction
from chatcore.domain.message_projection import react, with_user, without_user
from chatcore.ids import Seq, UserId

from . import queries
from .documents import Changed, Document
from .reading import Reading

_NO_REACTION = Reaction(count=0, users=())


class Reactions:
    """Who gave an emoji to a message, as far as it has to be known: read from the log where an entry does not tell."""

    def __init__(self, reading: Reading, room: str, upto: Seq, unwritten: Sequence[Entry]) -> None:
        self._reading = reading
        self._room = room
        self._upto = upto
        self._unwritten = unwritten

    async def after(self, reactions: Mapping[str, Reaction], entry: Entry, reacted: Reacted) -> Mapping[str, Reaction]:
        """The reactions of a message after one more entry."""
        before = reactions.get(reacted.emoji, _NO_REACTION)
        if await self._has(before, entry, reacted) == reacted.on:
            return reactions
        now = with_user(before, entry.author) if reacted.on else await self._without(before, entry, reacted)
        if now.count:
            return {**reactions, reacted.emoji: now}
        return {emoji: reaction for emoji, reaction in reactions.items() if emoji != reacted.emoji}

    async def _has(self, reaction: Reaction, entry: Entry, reacted: Reacted) -> bool:
        if entry.author in reaction.users or reaction.count <= len(reaction.users):
            return entry.author in reaction.users
        return entry.author in await self._users(entry, reacted, only=entry.author)

    async def _without(self, reaction: Reaction, entry: Entry, reacted: Reacted) -> Reaction:
        now = without_user(reaction, entry.author)
        if len(now.users) == min(now.count, REACTION_USERS_MAX):
            return now
        users = [user for user in await self._users(entry, reacted) if user != entry.author]
        return evolve(now, users=users[:REACTION_USERS_MAX])

    async def _users(self, entry: Entry, reacted: Reacted, only: UserId | None = None) -> Sequence[UserId]:
        """Who gives the emoji before the entry, in the order in which they came."""
        query = (
            queries.reactions_to(self._room, reacted.target, self._upto)
            if only is None
            else queries.reactions_of(self._room, [only], [reacted.target], self._upto)
        )
        (found,) = await self._reading.ask(query)
        users: dict[UserId, None] = {}
        for author, on in [*_written(found, reacted.emoji), *self._not_yet(entry, reacted)]:
            react(users, author, on=on)
        return list(users)

    def _not_yet(self, entry: Entry, reacted: Reacted) -> Sequence[tuple[UserId, bool]]:
        return [
            (one.author, one.event.on)
            for one in self._unwritten
            if one.seq < entry.seq
            and isinstance(one.event, Reacted)
            and (one.event.target, one.event.emoji) == (reacted.target, reacted.emoji)
        ]


def _written(found: Sequence[Document], emoji: str) -> Sequence[tuple[UserId, bool]]:
    return [
        (one["author"], one["event"]["on"])
        for one in sorted(found, key=lambda one: one["seq"])
        if one.get("kind", "reacted") == "reacted" and one["event"]["emoji"] == emoji
    ]


async def changed_by(changed: Changed, entry: Entry, identity: ObjectId, reactions: Reactions) -> Changed:
    """What a message becomes with ``entry``, whose ``_id`` is ``identity``."""
    match entry.event:
        case Edited(version=version):
            return evolve(changed, version=version, edit=identity)
        case Deleted():
            return evolve(changed, reactions={})
        case Reacted():
            return evolve(changed, reactions=await reactions.after(changed.reactions, entry, entry.event))
        case _:
            return changed
