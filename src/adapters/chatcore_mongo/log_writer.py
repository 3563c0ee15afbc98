"""Appends to the logs of rooms, and the erasure of deleted texts."""

import contextlib
from collections import OrderedDict
from collections.abc import Sequence

from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.entries import Entry
from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import AppendResult

from . import queries
from .database import MongoDatabase
from .documents import ENTRIES, ERASE_MESSAGE, ERASE_TEXT, Document, read_entries, read_summary
from .entry_documents import DocumentBuilder, RoomHead, is_plain, plain_documents
from .group_commit import GroupCommit
from .read_session import ReadSession, messages_by_room

ERASED_TOGETHER = 100
"""The most deletions that one call of `LogWriter.erase_pending` finishes."""
ROOMS_CACHED = 10_000


class LogWriter:
    """Appends entries, and erases the text that deletions refer to."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._group_commit = GroupCommit(database)
        self._heads = _HeadCache()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Append one or more entries of one room, as `EntryLog.append` says."""
        first = entries[0]
        head = self._heads.get(first.room, first.seq - 1)
        if head and all(map(is_plain, entries)):
            return await self._insert(entries, *plain_documents(entries, head))
        async with self._database.time_limit():
            prepared = await self._prepared(entries)
            return await self._insert(entries, *prepared) if prepared else AppendResult(written=0)

    async def _prepared(self, entries: Sequence[Entry]) -> tuple[Sequence[Document], Sequence[RoomHead]] | None:
        """Return the documents, and the room's head after each; None if the entry below the first does not exist."""
        first = entries[0]
        async with self._database.read_session() as session:
            head = await self._head_at(session, first.room, first.seq - 1) if first.seq > 1 else None
            if head is None and first.seq > 1:
                return None
            return await DocumentBuilder(session, entries, head).build()

    async def _head_at(self, session: ReadSession, room: RoomId, seq: Seq) -> RoomHead | None:
        """Return the room as of ``seq``; None if there is no such entry."""
        if cached := self._heads.get(room, seq):
            return cached
        document = await session.fetch_one(queries.entry_at(room, seq))
        return RoomHead(seq, read_summary(document), None) if document else None

    async def _insert(
        self, entries: Sequence[Entry], documents: Sequence[Document], heads: Sequence[RoomHead]
    ) -> AppendResult:
        inserted = await self._group_commit.insert(documents)
        room = entries[0].room
        if inserted.written:
            self._heads.put(room, heads[inserted.written - 1])
            await self._erase(documents[: inserted.written])
        if inserted.conflict == "key":
            return AppendResult(written=inserted.written, taken=await self._holder(room, entries[inserted.written]))
        return AppendResult(written=inserted.written)

    async def _holder(self, room: RoomId, entry: Entry) -> Entry:
        """Return the entry with the idempotency key of ``entry``. Raises `Unavailable` until a majority has it."""
        async with self._database.read_session() as session:
            deletions, holders = await session.fetch(
                queries.pending_erasures([room]), queries.holders(room, entry.author, [entry.key])
            )
        if not holders:
            raise Unavailable
        return read_entries(holders, messages_by_room(deletions).get(room, ()))[0]

    async def _erase(self, documents: Sequence[Document]) -> None:
        """Erase the text that new deletions refer to.

        Until that succeeds, here or in `erase_pending`, reads leave the text out because the deletion is pending.
        """
        deletions = [document for document in documents if document.get("pending")]
        if deletions:
            with contextlib.suppress(Unavailable):
                await self._database.write(lambda mongo, session: _erase(mongo, session, deletions))

    async def erase_pending(self) -> None:
        """Erase texts that the writers of their deletions did not erase, because of a crash or a fault."""

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            async with self._database.read_session() as reads:
                (deletions,) = await reads.fetch(queries.all_pending_erasures(ERASED_TOGETHER))
            await _erase(mongo, session, deletions)

        with contextlib.suppress(Unavailable):
            await self._database.write(work)


class _HeadCache:
    """The newest known heads of the rooms that were last written to. They save reads; the unique indexes decide."""

    def __init__(self) -> None:
        self._heads: OrderedDict[RoomId, RoomHead] = OrderedDict()

    def get(self, room: RoomId, seq: Seq) -> RoomHead | None:
        """Return the room's head if it is cached and at ``seq``."""
        head = self._heads.get(room)
        return head if head and head.seq == seq else None

    def put(self, room: RoomId, head: RoomHead) -> None:
        cached = self._heads.get(room)
        if cached is None or cached.seq < head.seq:
            self._heads[room] = head
            self._heads.move_to_end(room)
            if len(self._heads) > ROOMS_CACHED:
                self._heads.popitem(last=False)


async def _erase(mongo: AsyncDatabase[Document], session: AsyncClientSession, deletions: Sequence[Document]) -> None:
    """Erase the text of deleted messages and of their edits: the only change to a written entry. It is idempotent.

    Args:
        mongo: the database.
        session: the session of the write.
        deletions: documents of deletions, with at least ``{_id, room, about}``.
    """
    operations: list[UpdateOne | UpdateMany] = []
    for deletion in deletions:
        room, message = deletion["room"], deletion["about"]
        operations += [
            UpdateOne({"room": room, "seq": message, "kind": "message"}, ERASE_MESSAGE),
            UpdateMany({"room": room, "about": message, "kind": "edited"}, ERASE_TEXT),
            # Last: a deletion stays pending until nothing is left to erase.
            UpdateOne({"_id": deletion["_id"]}, {"$unset": {"pending": ""}}),
        ]
    if operations:
        await mongo[ENTRIES].bulk_write(operations, session=session)
