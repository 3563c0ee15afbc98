"""What a message becomes with each entry that changes it."""

from collections.abc import Sequence

from attrs import evolve
from bson import ObjectId

from chatcore.domain.entries import REACTION_USERS_MAX, Deleted, Edited, Entry, Reacted
from chatcore.ids import Seq, UserId

from . import queries
from .documents import Changed, Document, Given
from .reading import Reading


def target_of(entry: Entry) -> Seq | None:
    """The message that an entry changes."""
    match entry.event:
        case Edited(target=target) | Deleted(target=target) | Reacted(target=target):
            return target
        case _:
            return None


class Reactions:
    """Who gave an emoji to a message, as far as it has to be known: read from the log where an entry does not tell."""

    def __init__(self, reading: Reading, room: str, upto: Seq, unwritten: Sequence[Entry]) -> None:
        self._reading = reading
        self._room = room
        self._upto = upto
        self._unwritten = unwritten

    async def after(self, given: tuple[Given, ...], entry: Entry, reacted: Reacted) -> tuple[Given, ...]:
        """The reactions of a message after one more entry."""
        found = next((one for one in given if one.emoji == reacted.emoji), Given(reacted.emoji, 0, ()))
        has = await self._has(found, entry, reacted)
        if has == reacted.on:
            return given
        now = _with(found, entry.author) if reacted.on else await self._without(found, entry, reacted)
        if not found.count:
            return (*given, now)
        return tuple(now if one is found else one for one in given if one is not found or now.count)

    async def _has(self, found: Given, entry: Entry, reacted: Reacted) -> bool:
        if entry.author in found.users or found.count <= len(found.users):
            return entry.author in found.users
        return entry.author in await self._users(entry, reacted, only=entry.author)

    async def _without(self, found: Given, entry: Entry, reacted: Reacted) -> Given:
        count = found.count - 1
        if entry.author not in found.users or found.count <= len(found.users):
            return Given(found.emoji, count, tuple(user for user in found.users if user != entry.author))
        users = [user for user in await self._users(entry, reacted) if user != entry.author]
        return Given(found.emoji, count, tuple(users[:REACTION_USERS_MAX]))

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
            if on:
                users.setdefault(author)
            else:
                users.pop(author, None)
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


def _with(found: Given, user: UserId) -> Given:
    users = (*found.users, user) if len(found.users) < REACTION_USERS_MAX else found.users
    return Given(found.emoji, found.count + 1, users)


async def changed_by(changed: Changed, entry: Entry, identity: ObjectId, reactions: Reactions) -> Changed:
    """What a message becomes with ``entry``, whose ``_id`` is ``identity``."""
    match entry.event:
        case Edited(version=version):
            return evolve(changed, version=version, edit=identity)
        case Deleted():
            return evolve(changed, reactions=())
        case Reacted():
            return evolve(changed, reactions=await reactions.after(changed.reactions, entry, entry.event))
        case _:
            return changed
