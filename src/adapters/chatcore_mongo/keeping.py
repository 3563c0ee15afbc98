"""Keeping the roster of a room as a view, so that the next one who loads it folds only what came later."""

import contextlib

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DocumentTooLarge, DuplicateKeyError

from chatcore.errors import Unavailable
from chatcore.ids import RoomId

from .database import Database
from .documents import ROSTERS, Document, roster_document
from .standing import Roster


async def keep(database: Database, room: RoomId, roster: Roster) -> None:
    """Keep a roster unless a later one is kept. Nothing is lost where that fails."""
    document = roster_document(room, roster.upto, roster.members)

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        older = {"_id": room, "upto": {"$lt": roster.upto}}
        with contextlib.suppress(DuplicateKeyError, DocumentTooLarge):
            await mongo[ROSTERS].replace_one(older, document, upsert=True, session=session)

    with contextlib.suppress(Unavailable):
        await database.write(work)
