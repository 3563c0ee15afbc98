"""Memberships and room states, computed from the entries that change memberships."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DocumentTooLarge, DuplicateKeyError

from chatcore.domain.memberships import apply_changes
from chatcore.domain.state import Membership, RoomState
from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_views import RoomMembership

from . import queries
from .database import MongoDatabase
from .documents import ROSTERS, Document, is_listed, read_affects, read_roster, read_summary, roster_document
from .read_session import ReadSession, only

Memberships: TypeAlias = Mapping[tuple[RoomId, UserId], Membership]

SEQ_MAX = 2**63 - 1
ROSTER_INTERVAL = 200
"""The fewest membership changes after which a room's roster is stored again. In large rooms it takes more: a tenth of
the members."""


def memberships_at(changes: Sequence[Document], heads: Mapping[RoomId, Seq]) -> Memberships:
    """Return the memberships as of each room's head, without the users who have none.

    Args:
        changes: documents of `queries.membership_changes`.
        heads: the seqs of the rooms' heads; changes in other rooms and above them are ignored.
    """
    last: dict[tuple[RoomId, UserId], tuple[Seq, Membership | None]] = {}
    for change in changes:
        room, seq = change["room"], change["seq"]
        if seq > heads.get(room, 0):
            continue
        for user, member in read_affects(change).items():
            if seq > last.get((room, user), (0, None))[0]:
                last[room, user] = seq, member
    return {room_user: member for room_user, (_, member) in last.items() if member}


async def members_at(
    session: ReadSession, room: RoomId, users: Collection[UserId], upto: Seq
) -> Mapping[UserId, Membership]:
    """Return the memberships of some users in one room as of the seq ``upto``."""
    (changes,) = await session.fetch(queries.membership_changes(users, [room], upto))
    return {user: member for (_, user), member in memberships_at(changes, {room: upto}).items()}


class Roster:
    """All memberships of a room as of a seq, computed from a stored roster and the later changes.

    Args:
        stored: the stored roster; None to start from an empty room.
        changes: documents of `queries.room_membership_changes`, ascending; those in the stored roster are ignored.
    """

    def __init__(self, stored: Document | None, changes: Sequence[Document]) -> None:
        self.members: dict[UserId, Membership] = read_roster(stored) if stored else {}
        self.upto: Seq = stored["upto"] if stored else 0
        self._changes = 0
        for change in changes:
            if change["seq"] > self.upto:
                self.upto = change["seq"]
                self._changes += 1
                apply_changes(self.members, read_affects(change))

    @property
    def should_be_stored(self) -> bool:
        """Whether so many changes have come since the stored roster that a newer one saves time."""
        return self._changes >= max(ROSTER_INTERVAL, len(self.members) // 10)


async def roster_at(session: ReadSession, room: RoomId, upto: Seq) -> Roster:
    """Return all memberships of a room as of the seq ``upto``."""
    stored, changes = await session.fetch(
        queries.roster(room), queries.room_membership_changes(room, 0, upto, ROSTER_INTERVAL)
    )
    return await _roster(session, room, upto, only(stored), changes)


async def room_state(database: MongoDatabase, room: RoomId) -> RoomState:
    """Return a room's state as of its head. Store its roster if the stored one is much older."""
    async with database.read_session() as session:
        stored, heads, changes = await session.fetch(
            queries.roster(room), queries.head(room), queries.room_membership_changes(room, 0, SEQ_MAX, ROSTER_INTERVAL)
        )
        head = only(heads)
        if head is None:
            return RoomState(room=room)
        roster = await _roster(session, room, head["seq"], only(stored), changes)
    if roster.should_be_stored:
        await _store_roster(database, room, roster)
    summary = read_summary(head)
    return RoomState(room=room, head=head["seq"], kind=summary.kind, title=summary.title, members=roster.members)


async def _roster(
    session: ReadSession, room: RoomId, upto: Seq, stored: Document | None, first_changes: Sequence[Document]
) -> Roster:
    """Return the roster as of ``upto``. Most rooms have no more than ``first_changes``, and need no further query."""
    usable = stored if stored and stored["upto"] <= upto else None
    if usable is None and len(first_changes) < ROSTER_INTERVAL:
        return Roster(None, [change for change in first_changes if change["seq"] <= upto])
    (changes,) = await session.fetch(queries.room_membership_changes(room, usable["upto"] if usable else 0, upto))
    return Roster(usable, changes)


async def _store_roster(database: MongoDatabase, room: RoomId, roster: Roster) -> None:
    """Store a roster unless a newer one is stored. A failure only makes later reads slower: the log has all changes."""
    document = roster_document(room, roster.upto, roster.members)

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        older = {"_id": room, "upto": {"$lt": roster.upto}}
        with contextlib.suppress(DuplicateKeyError, DocumentTooLarge):
            await mongo[ROSTERS].replace_one(older, document, upsert=True, session=session)

    with contextlib.suppress(Unavailable):
        await database.write(work)


async def memberships_of(session: ReadSession, user: UserId, room: RoomId | None) -> Sequence[RoomMembership]:
    """Return a user's memberships, as `RoomViews.memberships` says."""
    heads, memberships = await listed_rooms(session, user, None if room is None else [room])
    return [RoomMembership(room=head["_id"], head=head["seq"], member=memberships[head["_id"], user]) for head in heads]


async def acquaintances(session: ReadSession, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
    """Return the users who share a room with a user, as `RoomViews.acquaintances` says."""
    heads, _ = await listed_rooms(session, user)
    if not heads or not others:
        return frozenset()
    seqs = {head["_id"]: head["seq"] for head in heads}
    (changes,) = await session.fetch(queries.membership_changes(sorted(others), list(seqs)))
    shared = memberships_at(changes, seqs)
    return frozenset(other for (_, other), member in shared.items() if is_listed(member) and other in others)


async def rooms_of(session: ReadSession, user: UserId) -> Sequence[RoomId]:
    """Return all rooms in which the user's membership has ever changed."""
    (rooms,) = await session.fetch(queries.rooms_of(user))
    return [room["_id"] for room in rooms]


async def listed_rooms(
    session: ReadSession, user: UserId, rooms: Sequence[RoomId] | None = None
) -> tuple[Sequence[Document], Memberships]:
    """Return the rooms in a user's list, as documents of `queries.heads`, and the user's memberships as of these heads.

    Args:
        session: where to read.
        user: the user.
        rooms: the rooms to look at; None for all.
    """
    if rooms is None:
        rooms = await rooms_of(session, user)
    heads, changes = await session.fetch(queries.heads(rooms), queries.membership_changes([user], rooms))
    memberships = memberships_at(changes, {head["_id"]: head["seq"] for head in heads})
    return [head for head in heads if is_listed(memberships.get((head["_id"], user)))], memberships
