"""Making the documents of entries that are to be appended, from what stands below them in the log.

All of it is read at or below the entry before the first one. That never changes, so whoever makes the document of a
seq makes the same, and it does not matter what happens meanwhile: the insertion tells.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve as changed
from bson import ObjectId

from chatcore.domain.decider import evolve
from chatcore.domain.entries import Deleted, Entry, Updated
from chatcore.domain.memberships import affected_users
from chatcore.domain.message_projection import target_of
from chatcore.domain.state import Member, RoomState
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import (
    MEMBERS_LISTED,
    Became,
    Changed,
    Document,
    affects_document,
    changed_document,
    entry_document,
    members_document,
    names,
    read_became,
    read_changed,
    read_members,
)
from .reacting import Reactions, changed_by
from .reading import Reading, only, whole
from .standing import members_of, roster_at
from .tails import Tail, Tails


async def tail_at(reading: Reading, tails: Tails, room: RoomId, seq: Seq) -> Tail | None:
    """What the room is as of ``seq``; None where there is no such entry."""
    if known := tails.get(room, seq):
        return known
    found = await reading.ask_one(queries.entry_at(room, seq))
    return Tail(seq, read_became(found), None) if found else None


def tail_after(tail: Tail, entry: Entry) -> Tail:
    """What a room is with an entry that changes nobody's standing."""
    became = changed(tail.became, title=entry.event.title) if isinstance(entry.event, Updated) else tail.became
    return Tail(entry.seq, became, tail.members)


def is_plain(entry: Entry) -> bool:
    """Whether the entry changes nothing but the log, and perhaps the title."""
    return not affected_users(entry) and target_of(entry) is None


def plain_documents(entries: Sequence[Entry], tail: Tail) -> tuple[list[Document], list[Tail]]:
    """The documents of plain entries, which need nothing read, and what the room is with each of them."""
    tails: list[Tail] = []
    for entry in entries:
        tail = tail_after(tail, entry)
        tails.append(tail)
    made = zip(entries, tails, strict=True)
    return [entry_document(entry, one.became) for entry, one in made], tails


class Preparation:
    """The documents of some entries of one room, which go on from ``tail``; None where they open the room."""

    def __init__(self, reading: Reading, entries: Sequence[Entry], tail: Tail | None) -> None:
        self._reading = reading
        self._entries = entries
        self._room = entries[0].room
        self._below = entries[0].seq - 1
        self._tail = tail
        self._standings: dict[UserId, Member] = {}
        self._messages: dict[Seq, Changed] = {}
        self._reactions = Reactions(reading, self._room, self._below, entries)
        self.tails: list[Tail] = []
        """What the room is with each of the entries."""

    async def documents(self) -> list[Document]:
        await self._look_back()
        return [await self._document(entry) for entry in self._entries]

    async def _look_back(self) -> None:
        """Read what the entries need to know of those below them."""
        if self._tail is None:
            return
        users = names([user for entry in self._entries for user in affected_users(entry)])
        if users:
            self._standings.update(await members_of(self._reading, self._room, users, self._below))
            if self._tail.members is None and self._tail.became.count <= MEMBERS_LISTED:
                (found,) = await self._reading.ask(queries.by_id([self._tail.became.shaped]))
                self._tail = changed(self._tail, members=read_members(only(whole(found, 1))))
        targets = {target for entry in self._entries if (target := target_of(entry))}
        if targets:
            (found,) = await self._reading.ask(queries.last_changes(self._room, targets, self._below))
            self._messages.update({one["_id"]: read_changed(one) for one in found})

    async def _document(self, entry: Entry) -> Document:
        identity = ObjectId()
        if affected_users(entry):
            document = await self._shape(entry, identity)
        else:
            document = self._plain(entry, identity)
        if target := target_of(entry):
            now = await changed_by(self._messages.get(target, Changed()), entry, identity, self._reactions)
            self._messages[target] = now
            document |= {"about": target, "message": changed_document(now)}
            if isinstance(entry.event, Deleted):
                document["pending"] = True
        return document

    def _plain(self, entry: Entry, identity: ObjectId) -> Document:
        if self._tail is None:
            raise ValueError("the first entry of a log says what it opens")
        self._go_on(tail_after(self._tail, entry))
        return entry_document(entry, self._tail.became, identity)

    async def _shape(self, entry: Entry, identity: ObjectId) -> Document:
        """An entry that changes who belongs to the room, or what somebody is there."""
        users = affected_users(entry)
        before = self._state_before(entry, users)
        after = evolve(before, entry)
        count = (self._tail.became.count if self._tail else 0) + after.count() - before.count()
        for user in users:
            self._standings.pop(user, None)
        self._standings.update(after.members)
        members = await self._listed(entry, after.members, count)
        if after.kind is None:
            raise ValueError("the first entry of a log says what it opens")
        became = Became(kind=after.kind, title=after.title, count=count, shaped=identity)
        self._go_on(Tail(entry.seq, became, members))
        document = entry_document(entry, became, identity)
        document["shape"] = True
        document["affects"] = affects_document({user: after.members.get(user) for user in users})
        if members is not None:
            document["members"] = members_document(members)
        return document

    def _state_before(self, entry: Entry, users: Sequence[UserId]) -> RoomState:
        """A state that holds only the memberships of ``users``, which the entry may change."""
        members = {user: member for user in users if (member := self._standings.get(user))}
        became = self._tail.became if self._tail else None
        kind, title = (became.kind, became.title) if became else (None, None)
        return RoomState(room=self._room, head=entry.seq - 1, kind=kind, title=title, members=members)

    async def _listed(
        self, entry: Entry, touched_members: Mapping[UserId, Member], count: int
    ) -> Mapping[UserId, Seq] | None:
        """All members after the entry, where these are few."""
        if count > MEMBERS_LISTED:
            return None
        known = self._tail.members if self._tail else {}
        if known is None:
            known = await self._all_below(entry)
        others = {user: since for user, since in known.items() if user not in affected_users(entry)}
        return others | {user: one.since for user, one in touched_members.items() if one.standing == "member"}

    async def _all_below(self, entry: Entry) -> Mapping[UserId, Seq]:
        """All members before an entry with which they become few."""
        roster = (await roster_at(self._reading, self._room, self._below)).members
        for earlier in self._entries:
            if earlier.seq < entry.seq:
                for user in affected_users(earlier):
                    roster.pop(user, None)
        roster |= self._standings
        return {user: member.since for user, member in roster.items() if member.standing == "member"}

    def _go_on(self, tail: Tail) -> None:
        self._tail = tail
        self.tails.append(tail)
