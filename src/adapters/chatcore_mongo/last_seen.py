"""Reads and writes of the times at which users were last seen."""

from collections.abc import Collection, Mapping
from datetime import datetime

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.serialization import from_milliseconds, milliseconds
from chatcore.ids import UserId

from . import queries
from .database import MongoDatabase
from .documents import LAST_SEEN, Document
from .read_session import ReadSession


async def note(database: MongoDatabase, times: Mapping[UserId, datetime]) -> None:
    """Keep the times of users, as `LastSeen.note_last_seen` says."""
    latest = [
        UpdateOne({"_id": user}, {"$max": {"at": milliseconds(at)}}, upsert=True) for user, at in sorted(times.items())
    ]

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        await mongo[LAST_SEEN].bulk_write(latest, ordered=False, session=session)

    if latest:
        await database.write(work)


async def last_seen(session: ReadSession, users: Collection[UserId]) -> Mapping[UserId, datetime]:
    """Return the times of users, without users that have none."""
    if not users:
        return {}
    (found,) = await session.fetch(queries.last_seen(users))
    return {document["_id"]: from_milliseconds(document["at"]) for document in found}
