"""Taking the text out of deleted messages and of their edits: the one change to an entry that is written."""

from collections.abc import Sequence

from bson import ObjectId
from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.ids import RoomId, Seq

from .documents import ENTRIES, ERASED, ERASED_MESSAGE, Document

Operation = UpdateOne | UpdateMany


def _operations(deletion: ObjectId, room: RoomId, target: Seq) -> Sequence[Operation]:
    """In this order: a deletion is pending until nothing is left to be erased."""
    return [
        UpdateOne({"room": room, "seq": target, "kind": "message"}, ERASED_MESSAGE),
        UpdateMany({"room": room, "about": target, "kind": "edited"}, ERASED),
        UpdateOne({"_id": deletion}, {"$unset": {"pending": ""}}),
    ]


async def erase(database: AsyncDatabase[Document], session: AsyncClientSession, deletions: Sequence[Document]) -> None:
    """Carry out deletions that are written: ``{_id, room, about}``. It may be done again, by anybody."""
    if deletions:
        found = [one for each in deletions for one in _operations(each["_id"], each["room"], each["about"])]
        await database[ENTRIES].bulk_write(found, session=session)
