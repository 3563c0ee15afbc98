"""Whether the database takes writes."""

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from .documents import META, Document
from .migrations import STORE


async def probe(mongo: AsyncDatabase[Document], its: AsyncClientSession) -> None:
    """Write what nobody reads, as durably as an entry."""
    await mongo[META].update_one(STORE, {"$currentDate": {"probed": True}}, session=its)
