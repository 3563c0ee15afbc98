"""Appends to the logs of rooms, and what follows from them: texts are erased, and public rooms lose former titles."""

import contextlib
from asyncio import gather
from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain
from typing import TypeAlias

from attrs import frozen
from bson import encode
from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.entries import Entry
from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_log import AppendResult

from . import queries
from .database import MongoDatabase
from .documents import ENTRIES, ERASE_MESSAGE, ERASE_TEXT, UNLIST, Document, read_entries, read_summary
from .entry_documents import DocumentBuilder, RoomHead, is_plain, plain_documents
from .group_commit import GroupCommit
from .read_session import ReadSession, messages_by_room

ERASED_TOGETHER = 100
"""The most deletions that one call of `LogWriter.erase_pending` finishes."""
ROOMS_CACHED = 10_000


AppendOutcome: TypeAlias = AppendResult | Exception


@frozen
class _Prepared:
    """Entries of one room, their documents, the documents in BSON, and the room's head with each of the entries."""

    entries: Sequence[Entry]
    documents: Sequence[Document]
    encoded: Sequence[bytes]
    heads: Sequence[RoomHead]


class LogWriter:
    """Appends entries, and erases the text that deletions refer to."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._group_commit = GroupCommit(database)
        self._heads = _HeadCache()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Append entries of one room, as `EntryLog.append` says."""
        (outcome,) = await self.append_all([entries])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendOutcome]:
        """Append each batch, as `EntryLog.append_all` says.

        Most batches need no read of the log below them, and are inserted together. The others do not delay them.
        """
        outcomes: dict[int, AppendOutcome] = {}
        ready: dict[int, _Prepared] = {}
        others: dict[int, Sequence[Entry]] = {}
        for index, entries in enumerate(batches):
            head = self._heads.get(entries[0].room, entries[0].seq - 1) if entries else None
            if head is None or not all(map(is_plain, entries)):
                others[index] = entries
                continue
            try:
                ready[index] = _prepared(entries, *plain_documents(entries, head))
            except Exception as error:  # noqa: BLE001 - BSON has no form for the entries of this room
                outcomes[index] = error
        inserting = self._insert([*ready.values()])
        results = await gather(inserting, *map(self._append, others.values())) if others else [await inserting]
        outcomes.update(zip([*ready, *others], chain.from_iterable(results), strict=True))
        return [outcomes[index] for index in range(len(batches))]

    async def _append(self, entries: Sequence[Entry]) -> Sequence[AppendOutcome]:
        """Append entries of one room after reads of the log below them, and return the outcome."""
        try:
            async with self._database.time_limit():
                prepared = await self._read_and_prepare(entries) if entries else None
                return await self._insert([prepared]) if prepared else [AppendResult(written=0)]
        except Exception as error:  # noqa: BLE001 - returned to the caller
            return [error]

    async def _read_and_prepare(self, entries: Sequence[Entry]) -> _Prepared | None:
        """Return the entries with their documents; None if the entry below the first does not exist."""
        first = entries[0]
        async with self._database.read_session() as session:
            head = await self._head_at(session, first.room, first.seq - 1) if first.seq > 1 else None
            if head is None and first.seq > 1:
                return None
            return _prepared(entries, *await DocumentBuilder(session, entries, head).build())

    async def _head_at(self, session: ReadSession, room: RoomId, seq: Seq) -> RoomHead | None:
        """Return the room as of ``seq``; None if there is no such entry."""
        if cached := self._heads.get(room, seq):
            return cached
        document = await session.fetch_one(queries.entry_at(room, seq))
        return RoomHead(seq, read_summary(document), None) if document else None

    async def _insert(self, batches: Sequence[_Prepared]) -> Sequence[AppendOutcome]:
        """Insert the documents of batches, and return the outcome of each batch."""
        try:
            results = await self._group_commit.insert([batch.encoded for batch in batches]) if batches else []
        except Unavailable as error:
            return [error] * len(batches)
        outcomes: list[AppendOutcome] = []
        unfinished: list[Document] = []
        refused: dict[int, Entry] = {}
        for batch, result in zip(batches, results, strict=True):
            if isinstance(result, Exception):
                outcomes.append(result)
                continue
            written = result.written
            if written:
                self._heads.put(batch.entries[0].room, batch.heads[written - 1])
                unfinished += [
                    document
                    for document in batch.documents[:written]
                    if "pending" in document or ("listed" in document and document["seq"] > 1)
                ]
            if result.conflict == "key":
                refused[len(outcomes)] = batch.entries[written]
            outcomes.append(AppendResult(written=written))
        await self._finish(unfinished)
        for index, holder in zip(refused, await self._holders([*refused.values()]), strict=True):
            written = refused[index].seq - batches[index].entries[0].seq
            outcomes[index] = holder if isinstance(holder, Exception) else AppendResult(written=written, taken=holder)
        return outcomes

    async def _holders(self, entries: Sequence[Entry]) -> Sequence[Entry | Exception]:
        """Return for each entry the one with its idempotency key, or `Unavailable` until a majority has that."""
        if not entries:
            return []
        try:
            async with self._database.read_session() as session:
                deletions, *holders = await session.fetch(
                    queries.pending_erasures([entry.room for entry in entries]),
                    *(queries.holders(entry.room, entry.author, [entry.key]) for entry in entries),
                )
        except Exception as error:  # noqa: BLE001 - returned to the callers
            return [error] * len(entries)
        erased = messages_by_room(deletions)
        return [
            read_entries(found, erased.get(entry.room, ()))[0] if found else Unavailable()
            for entry, found in zip(entries, holders, strict=True)
        ]

    async def _finish(self, documents: Sequence[Document]) -> None:
        """Erase the texts that new deletions refer to, and take public rooms out of their former places in the list.

        Until the first succeeds, here or in `erase_pending`, reads leave the text out because the deletion is pending.
        Until the second does, here or after a read, reads leave the room out because its title is another one by now.
        """
        if documents:
            with contextlib.suppress(Unavailable):
                await self._database.write(lambda mongo, session: _finish(mongo, session, documents))

    async def erase_pending(self) -> None:
        """Erase texts that the writers of their deletions did not erase, because of a crash or a fault."""

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            async with self._database.read_session() as reads:
                (deletions,) = await reads.fetch(queries.all_pending_erasures(ERASED_TOGETHER))
            await _finish(mongo, session, deletions)

        with contextlib.suppress(Unavailable):
            await self._database.write(work)


def _prepared(entries: Sequence[Entry], documents: Sequence[Document], heads: Sequence[RoomHead]) -> _Prepared:
    return _Prepared(entries, documents, [encode(document) for document in documents], heads)


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


async def _finish(mongo: AsyncDatabase[Document], session: AsyncClientSession, documents: Sequence[Document]) -> None:
    """Erase the text of deleted messages and of their edits: the only change to a written entry. It is idempotent.

    Take public rooms out of the list under titles that they had, which also is idempotent.

    Args:
        mongo: the database.
        session: the session of the write.
        documents: documents of deletions, with at least ``{_id, room, about}``, and of entries with ``listed``.
    """
    operations: list[UpdateOne | UpdateMany] = []
    for document in documents:
        room = document["room"]
        if "listed" in document:
            operations.append(UpdateMany(queries.former_titles(room, document["seq"]), UNLIST))
            continue
        message = document["about"]
        operations += [
            UpdateOne({"room": room, "seq": message, "kind": "message"}, ERASE_MESSAGE),
            UpdateMany({"room": room, "about": message, "kind": "edited"}, ERASE_TEXT),
            # Last: a deletion stays pending until nothing is left to erase.
            UpdateOne({"_id": document["_id"]}, {"$unset": {"pending": ""}}),
        ]
    if operations:
        await mongo[ENTRIES].bulk_write(operations, session=session)
