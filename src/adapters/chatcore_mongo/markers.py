"""Reads and updates of members' markers."""

import contextlib
from collections.abc import Mapping, Sequence

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.domain.state import Marker, MarkerUpdate, RoomView
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .database import MongoDatabase
from .documents import MARKERS, Document, marker_document, marker_id, read_marker
from .memberships import memberships_at
from .read_session import ReadSession, only
from .room_views import views


async def markers(session: ReadSession, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
    """Return the markers of members, as `Markers.markers` says."""
    heads, changes, documents = await session.fetch(
        queries.head(room),
        queries.membership_changes(users, [room]),
        queries.markers([marker_id(room, user) for user in users]),
    )
    head = only(heads)
    memberships = memberships_at(changes, {room: head["seq"]} if head else {})
    by_id = {document["_id"]: document for document in documents}
    return {
        user: read_marker(by_id.get(marker_id(room, user)), member.since)
        for user in users
        if (member := memberships.get((room, user))) and member.state == "member"
    }


async def mark(database: MongoDatabase, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
    """Apply a change to a marker and return the room's view, as `Markers.mark` says."""
    async with database.time_limit():
        async with database.read_session() as session:
            head, since = await _head_and_since(session, room, user)
        if since is not None and change != MarkerUpdate() and change.fits(head):
            member_since = since
            await database.write(lambda mongo, session: _move(mongo, session, (room, user), member_since, change))
        async with database.read_session() as session:
            return (await views(session, room, [user])).get(user)


async def _head_and_since(session: ReadSession, room: RoomId, user: UserId) -> tuple[Seq, Seq | None]:
    """Return the room's head, and the seq since which the user is a member; None for a user who is not a member."""
    heads, changes = await session.fetch(queries.head(room), queries.membership_changes([user], [room]))
    head = only(heads)
    if head is None:
        return 0, None
    member = memberships_at(changes, {room: head["seq"]}).get((room, user))
    return head["seq"], member.since if member and member.state == "member" else None


async def _move(
    mongo: AsyncDatabase[Document],
    session: AsyncClientSession,
    room_and_user: tuple[RoomId, UserId],
    since: Seq,
    change: MarkerUpdate,
) -> None:
    """Update the marker of a member since ``since``. Nothing changes if the user has joined again meanwhile."""
    collection = mongo[MARKERS]
    identity = marker_id(*room_and_user)
    current = {"_id": identity, "since": since}
    update = _update(change)
    moved = await collection.update_one(current, update, session=session)
    if moved.matched_count:
        return
    older = {"_id": identity, "since": {"$lt": since}}
    start = marker_document(*room_and_user, since)
    del start["_id"]
    # A duplicate: another call has just made the marker, or the user has joined again.
    with contextlib.suppress(DuplicateKeyError):
        await collection.update_one(older, {"$set": start}, upsert=True, session=session)
    await collection.update_one(current, update, session=session)


def _update(change: MarkerUpdate) -> Document:
    """Return `MarkerUpdate.applied` as an update for the server, so that concurrent changes are all applied."""
    maxima: Document = {}
    values: Document = {}
    if change.read is not None:
        maxima["read"] = change.read
        values["unread_from"] = None
    if change.read is not None or change.delivered is not None:
        maxima["delivered"] = max(change.read or 0, change.delivered or 0)
    if change.unread_from is not None:
        values["unread_from"] = change.unread_from
    if change.muted is not None:
        values["muted"] = change.muted
    update: Document = {}
    if maxima:
        update["$max"] = maxima
    if values:
        update["$set"] = values
    return update
