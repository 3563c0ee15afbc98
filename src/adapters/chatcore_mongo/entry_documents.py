"""The documents of new entries, with summaries computed from the log below them.

The computation reads only entries below the first new one. That part of the log never changes. So every writer of a seq
computes the same summaries, and the unique index decides between writers.
"""

from collections.abc import Mapping, Sequence

import attrs
from attrs import frozen
from bson import ObjectId

from chatcore.domain.decider import evolve
from chatcore.domain.entries import Deleted, Edited, Entry, Reacted, Updated
from chatcore.domain.memberships import affected_users
from chatcore.domain.message_projection import target_of
from chatcore.domain.state import Membership, RoomState
from chatcore.ids import Seq, UserId

from . import queries
from .documents import (
    MEMBERS_LISTED,
    Document,
    MessageSummary,
    RoomSummary,
    affects_document,
    entry_document,
    listing_document,
    members_document,
    message_document,
    read_members,
    read_message,
)
from .memberships import members_at, roster_at
from .reactions import ReactionHistory
from .read_session import ReadSession, complete


@frozen
class RoomHead:
    """A room as of one of its entries. The document of the next entry is computed from it.

    Attributes:
        seq: the entry's seq.
        summary: the room as of the entry.
        members: each member with the start of the membership; None if the members have not been read.
    """

    seq: Seq
    summary: RoomSummary
    members: Mapping[UserId, Seq] | None


def is_plain(entry: Entry) -> bool:
    """Return whether the entry changes no membership, role or message."""
    return not affected_users(entry) and target_of(entry) is None


def plain_documents(entries: Sequence[Entry], head: RoomHead) -> tuple[list[Document], list[RoomHead]]:
    """Return the documents of plain entries of one room, and the room's head with each of them.

    Args:
        entries: entries for which `is_plain` holds, ascending.
        head: the room's head below the first entry.
    """
    documents: list[Document] = []
    heads: list[RoomHead] = []
    for entry in entries:
        before, head = head, _plain_head(head, entry)
        document = entry_document(entry, head.summary)
        if head.summary is not before.summary:
            document |= listing_document(before.summary, head.summary)
        documents.append(document)
        heads.append(head)
    return documents, heads


def _plain_head(head: RoomHead, entry: Entry) -> RoomHead:
    """Return the head after an entry that changes no membership."""
    summary = head.summary
    if isinstance(entry.event, Updated):
        summary = attrs.evolve(summary, title=entry.event.title)
    return RoomHead(entry.seq, summary, head.members)


class DocumentBuilder:
    """Builds the documents of entries of one room, of any kind.

    Args:
        session: reads the log below the entries.
        entries: at least one entry, ascending.
        head: the room's head below the first entry; None if that opens the room.
    """

    def __init__(self, session: ReadSession, entries: Sequence[Entry], head: RoomHead | None) -> None:
        self._session = session
        self._entries = entries
        self._room = entries[0].room
        self._below = entries[0].seq - 1
        self._head = head
        self._members: dict[UserId, Membership] = {}
        """The memberships of the users that the entries affect."""
        self._messages: dict[Seq, MessageSummary] = {}
        """The messages that the entries change, if they have been changed before."""
        self._reactions = ReactionHistory(session, self._room, self._below, entries)
        self._heads: list[RoomHead] = []

    async def build(self) -> tuple[Sequence[Document], Sequence[RoomHead]]:
        """Return the documents, and the room's head with each of the entries."""
        await self._read_below()
        return [await self._document(entry) for entry in self._entries], self._heads

    async def _read_below(self) -> None:
        """Read the memberships and messages that the entries change."""
        if self._head is None:
            return
        if users := {user for entry in self._entries for user in affected_users(entry)}:
            self._members.update(await members_at(self._session, self._room, users, self._below))
            summary = self._head.summary
            if self._head.members is None and summary.members_count <= MEMBERS_LISTED:
                (listing,) = await self._session.fetch(queries.by_id([summary.last_membership_change]))
                self._head = attrs.evolve(self._head, members=read_members(complete(listing, 1)[0]))
        if targets := {target for entry in self._entries if (target := target_of(entry))}:
            (messages,) = await self._session.fetch(queries.last_changes(self._room, targets, self._below))
            self._messages.update({message["_id"]: read_message(message) for message in messages})

    async def _document(self, entry: Entry) -> Document:
        identity = ObjectId()
        if affected_users(entry):
            document = await self._membership_document(entry, identity)
        else:
            document = self._plain_document(entry, identity)
        if target := target_of(entry):
            message = await self._message_after(self._messages.get(target, MessageSummary()), entry, identity)
            self._messages[target] = message
            document |= {"about": target, "message": message_document(message)}
            if isinstance(entry.event, Deleted):
                document["pending"] = True
        return document

    async def _message_after(self, message: MessageSummary, entry: Entry, identity: ObjectId) -> MessageSummary:
        """Return the message after ``entry``. The document of ``entry`` has the ``_id`` ``identity``."""
        match entry.event:
            case Edited(version=version):
                return attrs.evolve(message, version=version, last_edit=identity)
            case Deleted():
                return attrs.evolve(message, reactions={})
            case Reacted():
                reactions = await self._reactions.reactions_after(message.reactions, entry, entry.event)
                return attrs.evolve(message, reactions=reactions)
            case _:
                return message

    def _plain_document(self, entry: Entry, identity: ObjectId) -> Document:
        if self._head is None:
            raise ValueError("the first entry of a log must open the room")
        before, head = self._head, _plain_head(self._head, entry)
        self._advance(head)
        return entry_document(entry, head.summary, identity) | listing_document(before.summary, head.summary)

    async def _membership_document(self, entry: Entry, identity: ObjectId) -> Document:
        """Return the document of an entry that changes memberships or roles."""
        users = affected_users(entry)
        before = self._state_before(entry, users)
        after = evolve(before, entry)
        if after.kind is None:
            raise ValueError("the first entry of a log must open the room")
        earlier = self._head.summary if self._head else None
        count = (earlier.members_count if earlier else 0) + after.count() - before.count()
        for user in users:
            self._members.pop(user, None)
        self._members.update(after.members)
        listed = await self._members_after(entry, after.members) if count <= MEMBERS_LISTED else None
        summary = RoomSummary(kind=after.kind, title=after.title, members_count=count, last_membership_change=identity)
        self._advance(RoomHead(entry.seq, summary, listed))
        document = entry_document(entry, summary, identity)
        document |= listing_document(earlier, summary)
        document["shape"] = True
        document["affects"] = affects_document({user: after.members.get(user) for user in users})
        if listed is not None:
            document["members"] = members_document(listed)
        return document

    def _state_before(self, entry: Entry, users: Sequence[UserId]) -> RoomState:
        """Return the room before ``entry``, with the memberships of ``users`` only."""
        members = {user: member for user in users if (member := self._members.get(user))}
        summary = self._head.summary if self._head else None
        kind, title = (summary.kind, summary.title) if summary else (None, None)
        return RoomState(room=self._room, head=entry.seq - 1, kind=kind, title=title, members=members)

    async def _members_after(self, entry: Entry, changed: Mapping[UserId, Membership]) -> Mapping[UserId, Seq]:
        """Return all members after ``entry``, each with the seq at which the membership began.

        Args:
            entry: an entry that changes memberships.
            changed: the memberships of the affected users after the entry.
        """
        before = self._head.members if self._head else {}
        if before is None:
            before = await self._members_before(entry)
        others = {user: since for user, since in before.items() if user not in affected_users(entry)}
        return others | _since(changed)

    async def _members_before(self, entry: Entry) -> Mapping[UserId, Seq]:
        """Return all members before ``entry``, which shrinks a large room to at most `MEMBERS_LISTED` members."""
        members = (await roster_at(self._session, self._room, self._below)).members
        for earlier in self._entries:
            if earlier.seq < entry.seq:
                for user in affected_users(earlier):
                    members.pop(user, None)
        return _since(members | self._members)

    def _advance(self, head: RoomHead) -> None:
        self._head = head
        self._heads.append(head)


def _since(members: Mapping[UserId, Membership]) -> dict[UserId, Seq]:
    return {user: member.since for user, member in members.items() if member.state == "member"}
