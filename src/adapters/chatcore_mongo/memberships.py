"""Memberships and room states, computed from the entries that change memberships."""

import contextlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chatcore.domain.blocks import private_room_pairs
from chatcore.domain.memberships import apply_changes
from chatcore.domain.permissions import sees_banned
from chatcore.domain.state import Membership, RoomState
from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_views import RoomMembers, RoomMembership

from . import queries
from .database import MongoDatabase
from .documents import (
    ROSTER_PART,
    ROSTERS,
    Document,
    is_listed,
    read_affects,
    read_roster,
    read_summary,
    roster_documents,
    roster_part_id,
)
from .read_session import ReadSession, only

Memberships: TypeAlias = Mapping[tuple[RoomId, UserId], Membership]

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
        parts: the parts of the stored roster; none to start from an empty room.
        upto: the seq of the stored roster; 0 without one.
        changes: documents of `queries.room_membership_changes` above ``upto``, ascending.
    """

    def __init__(self, parts: Sequence[Document], upto: Seq, changes: Sequence[Document]) -> None:
        self.members: dict[UserId, Membership] = read_roster(parts)
        self.upto: Seq = changes[-1]["seq"] if changes else upto
        self._changes = len(changes)
        for change in changes:
            apply_changes(self.members, read_affects(change))

    @property
    def should_be_stored(self) -> bool:
        """Whether so many changes have come since the stored roster that a newer one saves time."""
        return self._changes >= _roster_interval(len(self.members))


def _roster_interval(members: int) -> int:
    return max(ROSTER_INTERVAL, members // 10)


async def roster_at(session: ReadSession, room: RoomId, upto: Seq) -> Roster:
    """Return all memberships of a room as of the seq ``upto``."""
    stored, changes = await session.fetch(
        queries.roster(room), queries.room_membership_changes(room, 0, upto, ROSTER_INTERVAL)
    )
    return await _roster(session, room, upto, only(stored), changes)


async def room_state(database: MongoDatabase, room: RoomId) -> RoomState:
    """Return a room's state as of its head. Store its roster if the stored one is much older."""
    async with database.read_session() as session:
        pairs = private_room_pairs(room)
        stored, heads, changes, found = await session.fetch(
            queries.roster(room),
            queries.head(room),
            queries.room_membership_changes(room, 0, queries.SEQ_MAX, ROSTER_INTERVAL),
            queries.blocks(pairs) if pairs else None,
        )
        head, blocked = only(heads), frozenset(block["other"] for block in found)
        if head is None:
            return RoomState(room=room, blocked=blocked)
        roster = await _roster(session, room, head["seq"], only(stored), changes)
    if roster.should_be_stored:
        await _store_roster(database, room, roster)
    summary = read_summary(head)
    return RoomState(
        room=room,
        head=head["seq"],
        kind=summary.kind,
        title=summary.title,
        members=roster.members,
        blocked=blocked,
    )


async def members_page(
    session: ReadSession, user: UserId, room: RoomId, after: UserId | None, limit: int
) -> RoomMembers | None:
    """Return a page as `RoomViews.members` says, or None if the room has no roster that is recent enough."""
    rosters, heads, own = await session.fetch(
        queries.roster(room), queries.head(room), queries.membership_changes([user], [room])
    )
    stored, head = only(rosters), only(heads)
    if stored is None or head is None or stored["upto"] > head["seq"]:
        return None
    member = memberships_at(own, {room: head["seq"]}).get((room, user))
    firsts: Sequence[UserId] = stored["firsts"]
    begin = 0 if after is None else max(bisect_right(firsts, after) - 1, 0)
    listed: dict[UserId, Membership] = {}
    changes: list[Document] | None = None
    while True:
        parts = range(begin, min(begin + limit // ROSTER_PART + 2, len(firsts)))
        later = queries.room_membership_changes(room, stored["upto"], head["seq"]) if changes is None else None
        found, more_changes = await session.fetch(queries.roster_parts(room, stored["upto"], parts), later)
        changes = more_changes if changes is None else changes
        if len(found) < len(parts) or len(changes) >= _roster_interval(stored["count"]):
            return None  # another node has stored a newer roster, or this one gets too old
        listed |= read_roster(found)
        end = firsts[parts.stop] if parts.stop < len(firsts) else None
        present = _changed(listed, changes, end)
        users = sorted(
            (other, membership)
            for other, membership in present.items()
            if (after is None or other > after) and (membership.state != "banned" or sees_banned(member))
        )
        if len(users) > limit or end is None:
            kind = read_summary(head).kind
            return RoomMembers(kind=kind, member=member, users=users[:limit], has_after=len(users) > limit)
        begin = parts.stop


def _changed(
    members: Mapping[UserId, Membership], changes: Sequence[Document], end: UserId | None
) -> Mapping[UserId, Membership]:
    """Return the memberships of the users below ``end`` after the changes."""
    changed = dict(members)
    for change in changes:
        affected = {user: member for user, member in read_affects(change).items() if end is None or user < end}
        apply_changes(changed, affected)
    return changed


async def _roster(
    session: ReadSession, room: RoomId, upto: Seq, stored: Document | None, first_changes: Sequence[Document]
) -> Roster:
    """Return the roster as of ``upto``. Most rooms have no more than ``first_changes``, and need no further query."""
    if stored and stored["upto"] <= upto:
        parts, changes = await session.fetch(
            queries.roster_parts(room, stored["upto"], range(len(stored["firsts"]))),
            queries.room_membership_changes(room, stored["upto"], upto),
        )
        if len(parts) == len(stored["firsts"]):  # else another node has stored a newer roster, and removed this one
            return Roster(parts, stored["upto"], changes)
    elif len(first_changes) < ROSTER_INTERVAL:
        return Roster([], 0, [change for change in first_changes if change["seq"] <= upto])
    (changes,) = await session.fetch(queries.room_membership_changes(room, 0, upto))
    return Roster([], 0, changes)


async def _store_roster(database: MongoDatabase, room: RoomId, roster: Roster) -> None:
    """Store a roster unless a newer one is stored. A failure only makes later reads slower: the log has all changes."""
    document, parts = roster_documents(room, roster.upto, roster.members)

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        # The parts first: a roster has all of its parts, until a newer one is stored. Every node stores the same parts,
        # and those that a failed attempt left out are stored by the next one.
        with contextlib.suppress(BulkWriteError):
            if parts:
                await mongo[ROSTERS].insert_many(parts, ordered=False, session=session)
        older = {"_id": room, "upto": {"$lt": roster.upto}}
        with contextlib.suppress(DuplicateKeyError):
            await mongo[ROSTERS].replace_one(older, document, upsert=True, session=session)
        former = {"$gt": f"{room}\0", "$lt": roster_part_id(room, roster.upto, 0)}
        await mongo[ROSTERS].delete_many({"_id": former}, session=session)

    with contextlib.suppress(Unavailable):
        await database.write(work)


async def memberships_of(session: ReadSession, user: UserId, room: RoomId | None) -> Sequence[RoomMembership]:
    """Return a user's memberships, as `RoomViews.memberships` says."""
    heads, memberships = await listed_rooms(session, user, None if room is None else [room])
    return [RoomMembership(room=head["_id"], head=head["seq"], member=memberships[head["_id"], user]) for head in heads]


async def acquaintances(session: ReadSession, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
    """Return the users who share a room with a user, as `RoomViews.acquaintances` says."""
    return await _sharing(session, user, others, is_listed)


async def fellow_members(session: ReadSession, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
    """Return the users who are members of a room of the user, as `RoomViews.fellow_members` says."""
    return await _sharing(session, user, others, is_member)


def is_member(member: Membership | None) -> bool:
    """Return whether the user is a member."""
    return member is not None and member.state == "member"


async def _sharing(
    session: ReadSession, user: UserId, others: Collection[UserId], shares: Callable[[Membership | None], bool]
) -> frozenset[UserId]:
    """Return those of ``others`` who share a room with a user: ``shares`` holds for both of their memberships."""
    if not others:
        return frozenset()
    heads, mine = await listed_rooms(session, user)
    seqs = {head["_id"]: head["seq"] for head in heads if shares(mine.get((head["_id"], user)))}
    if not seqs:
        return frozenset()
    (changes,) = await session.fetch(queries.membership_changes(sorted(others), list(seqs)))
    shared = memberships_at(changes, seqs)
    return frozenset(other for (_, other), member in shared.items() if shares(member) and other in others)


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
