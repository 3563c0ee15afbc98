"""The reactions to a message after one more entry.

The summary in the last document of a message names only the first users of each emoji. If others matter, they are read
from the log.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from chatcore.domain.entries import REACTION_USERS_MAX, Entry, Reacted, Reaction
from chatcore.domain.message_projection import react, with_user, without_user
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import Document
from .queries import Query
from .read_session import ReadSession

_NO_REACTION = Reaction(count=0, users=())


@frozen
class ReactionHistory:
    """The `Reacted` entries of a room, including those that are being appended.

    Attributes:
        session: reads the log.
        room: the room.
        upto: the last seq that is read from the log.
        appended: the entries above ``upto``, which are not written yet.
    """

    session: ReadSession
    room: RoomId
    upto: Seq
    appended: Sequence[Entry]

    async def reactions_after(
        self, reactions: Mapping[str, Reaction], entry: Entry, reacted: Reacted
    ) -> Mapping[str, Reaction]:
        """Return the reactions to a message after ``entry``.

        Args:
            reactions: the reactions before the entry.
            entry: one of the entries that are being appended.
            reacted: the event of the entry.
        """
        before = reactions.get(reacted.emoji, _NO_REACTION)
        if await self._has_reacted(before, entry, reacted) == reacted.on:
            return reactions
        after = with_user(before, entry.author) if reacted.on else await self._without(before, entry, reacted)
        if after.count:
            return {**reactions, reacted.emoji: after}
        return {emoji: reaction for emoji, reaction in reactions.items() if emoji != reacted.emoji}

    async def _has_reacted(self, reaction: Reaction, entry: Entry, reacted: Reacted) -> bool:
        if entry.author in reaction.users or reaction.count <= len(reaction.users):
            return entry.author in reaction.users
        query = queries.reactions_of(self.room, [entry.author], [reacted.target], self.upto)
        return entry.author in await self._users(query, entry, reacted)

    async def _without(self, reaction: Reaction, entry: Entry, reacted: Reacted) -> Reaction:
        after = without_user(reaction, entry.author)
        if len(after.users) == min(after.count, REACTION_USERS_MAX):
            return after
        query = queries.reactions_to(self.room, reacted.target, self.upto)
        users = [user for user in await self._users(query, entry, reacted) if user != entry.author]
        return evolve(after, users=users[:REACTION_USERS_MAX])

    async def _users(self, query: Query, entry: Entry, reacted: Reacted) -> Sequence[UserId]:
        """Return the users of an emoji before ``entry``, in the order of the log, as far as ``query`` finds them."""
        (documents,) = await self.session.fetch(query)
        users: dict[UserId, None] = {}
        for user, on in [*_written(documents, reacted.emoji), *self._not_written(entry, reacted)]:
            react(users, user, on=on)
        return list(users)

    def _not_written(self, entry: Entry, reacted: Reacted) -> Iterator[tuple[UserId, bool]]:
        for earlier in self.appended:
            match earlier.event:
                case Reacted(target=reacted.target, emoji=reacted.emoji, on=on) if earlier.seq < entry.seq:
                    yield earlier.author, on
                case _:
                    pass


def _written(documents: Sequence[Document], emoji: str) -> Iterator[tuple[UserId, bool]]:
    """Yield the changes of one emoji in documents of `queries.reactions_to` or `queries.reactions_of`."""
    for document in sorted(documents, key=lambda document: document["seq"]):
        if document["kind"] == "reacted" and document["event"]["emoji"] == emoji:
            yield document["author"], document["event"]["on"]
