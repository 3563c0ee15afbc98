"""Moving markers."""

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.domain.state import MarkerUpdate
from chatcore.ids import RoomId, Seq, UserId

from .documents import MARKERS, Document, marker_document, marker_id


def _update(change: MarkerUpdate) -> Document:
    """`MarkerUpdate.applied`, as the server does it: changes made at the same time are all applied."""
    most: Document = {}
    values: Document = {}
    if change.read is not None:
        most["read"] = change.read
        values["unread_from"] = None
    if change.read is not None or change.delivered is not None:
        most["delivered"] = max(change.read or 0, change.delivered or 0)
    if change.unread_from is not None:
        values["unread_from"] = change.unread_from
    if change.muted is not None:
        values["muted"] = change.muted
    update: Document = {}
    if most:
        update["$max"] = most
    if values:
        update["$set"] = values
    return update


async def move(
    database: AsyncDatabase[Document],
    session: AsyncClientSession,
    place: tuple[RoomId, UserId],
    since: Seq,
    change: MarkerUpdate,
) -> None:
    """Move the marker of a member since ``since``; nothing happens where they have become one anew meanwhile."""
    markers, room, user = database[MARKERS], *place
    its = {"_id": marker_id(room, user), "since": since}
    moved = await markers.update_one(its, _update(change), session=session)
    if moved.matched_count:
        return
    try:
        older = {"_id": its["_id"], "since": {"$lt": since}}
        await markers.update_one(
            older, {"$set": _without_id(marker_document(room, user, since))}, upsert=True, session=session
        )
    except DuplicateKeyError:
        pass  # it has just been made, or is of a later joining
    await markers.update_one(its, _update(change), session=session)


def _without_id(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "_id"}
