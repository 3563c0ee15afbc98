"""Reads and writes of the blocks of users."""

from collections.abc import Collection, Sequence

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.domain.blocks import TOO_MANY, BlockedPair
from chatcore.errors import Conflict
from chatcore.ids import UserId
from chatcore.ports.blocks import BlockPosition, NewBlocks

from . import queries
from .change_feed import OVERLAP_S
from .database import MongoDatabase
from .documents import BLOCKS, Document, block_document, block_id
from .read_session import ReadSession
from .timestamps import SECOND, time_of, timestamp


async def block(database: MongoDatabase, user: UserId, other: UserId, limit: int) -> None:
    """Make a block, as `Blocks.block` says.

    The blocks are counted after the write: concurrent calls cannot pass the limit together.
    """

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        document = block_document(user, other)
        try:
            await mongo[BLOCKS].insert_one(document, session=session)
        except DuplicateKeyError:
            return
        (found,) = await ReadSession(mongo, session).fetch(queries.blocks_of(user, limit + 1))
        if len(found) > limit:
            await mongo[BLOCKS].delete_one({"_id": document["_id"]}, session=session)
            raise Conflict(TOO_MANY)

    await database.write(work)


async def unblock(database: MongoDatabase, user: UserId, other: UserId) -> None:
    """End a block, as `Blocks.unblock` says."""

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        await mongo[BLOCKS].delete_one({"_id": block_id(user, other)}, session=session)

    await database.write(work)


async def blocks(session: ReadSession, user: UserId) -> Sequence[UserId]:
    """Return the users whom a user has blocked, sorted."""
    (found,) = await session.fetch(queries.blocks_of(user))
    return sorted(document["other"] for document in found)


async def blocks_among(session: ReadSession, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
    """Return those of ``pairs`` that are blocks."""
    if not pairs:
        return frozenset()
    (found,) = await session.fetch(queries.blocks(pairs))
    return blocked_pairs(found)


def blocked_pairs(documents: Sequence[Document]) -> frozenset[BlockedPair]:
    """Return the blocks of documents."""
    return frozenset((document["user"], document["other"]) for document in documents)


async def new_blocks(session: ReadSession, after: BlockPosition | None) -> NewBlocks:
    """Return the blocks after a position, as `Blocks.new_blocks` says. A position is the server's time of a block.

    A block gets that time before it can be read, so the last `OVERLAP_S` seconds are read again.
    """
    if after is None:
        newest = await session.fetch_one(queries.newest_block())
        return NewBlocks(pairs=[], position=time_of(newest) if newest else 0)
    start = max(after // SECOND - OVERLAP_S, 0) * SECOND
    (found,) = await session.fetch(queries.blocks_above(timestamp(start)))
    return NewBlocks(pairs=sorted(blocked_pairs(found)), position=max([after, *map(time_of, found)]))
