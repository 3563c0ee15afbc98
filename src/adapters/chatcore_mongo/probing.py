"""Whether the database takes writes, and is the one that was opened."""

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from .documents import META, Document
from .migrations import STORE


async def probe(mongo: AsyncDatabase[Document], its: AsyncClientSession, epoch: str) -> bool:
    """Write what nobody reads, as durably as an entry. Whether the store of this epoch was there to write it to."""
    store = {**STORE, "epoch": epoch}
    written = await mongo[META].update_one(store, {"$currentDate": {"probed": True}}, session=its)
    return written.matched_count == 1
