"""Appending to a room's log."""

import contextlib
from collections.abc import Sequence

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.entries import Entry
from chatcore.errors import Unavailable
from chatcore.ids import RoomId
from chatcore.ports.entry_log import AppendResult

from . import queries
from .committing import Committer
from .database import Database
from .documents import Document
from .erasing import erase
from .preparing import Preparation, is_plain, plain_documents, tail_at
from .presenting import as_written
from .reading import gone_of
from .tails import Tail, Tails

ERASED_TOGETHER = 100


class Appender:
    """Writes entries as `EntryLog.append` says."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._committer = Committer(database)
        self._tails = Tails()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        first = entries[0]
        known = self._tails.get(first.room, first.seq - 1)
        if known and all(map(is_plain, entries)):
            return await self._insert(entries, *plain_documents(entries, known))
        async with self._database.limited():
            prepared = await self._prepared(entries)
            return await self._insert(entries, *prepared) if prepared else AppendResult(written=0)

    async def _insert(
        self, entries: Sequence[Entry], documents: Sequence[Document], tails: Sequence[Tail]
    ) -> AppendResult:
        inserted = await self._committer.insert(documents)
        room = entries[0].room
        if inserted.written:
            self._tails.put(room, tails[inserted.written - 1])
            await self._erase(documents[: inserted.written])
        if inserted.clash == "key":
            return AppendResult(written=inserted.written, taken=await self._taken(room, entries[inserted.written]))
        return AppendResult(written=inserted.written)

    async def _prepared(self, entries: Sequence[Entry]) -> tuple[list[Document], list[Tail]] | None:
        """Documents, and what the room is with each of them; None where there is no entry just below the first."""
        first = entries[0]
        async with self._database.reading() as reading:
            tail = await tail_at(reading, self._tails, first.room, first.seq - 1) if first.seq > 1 else None
            if tail is None and first.seq > 1:
                return None
            preparation = Preparation(reading, entries, tail)
            return await preparation.documents(), preparation.tails

    async def _taken(self, room: RoomId, entry: Entry) -> Entry:
        """The entry that holds the key, once a majority has it."""
        async with self._database.reading() as reading:
            pending, found = await reading.ask(
                queries.pending([room]), queries.holders(room, entry.author, [entry.key])
            )
        if not found:
            raise Unavailable
        return as_written(found, gone_of(pending).get(room, ()))[0]

    async def _erase(self, documents: Sequence[Document]) -> None:
        """Whatever becomes of it: until it is done, reads leave the text out by the deletion itself."""
        deletions = [one for one in documents if one.get("pending")]
        if deletions:
            with contextlib.suppress(Unavailable):
                await self._database.write(lambda database, session: erase(database, session, deletions))

    async def erase_what_is_pending(self) -> None:
        """Finish deletions of whoever could not."""

        async def work(database: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            async with self._database.reading() as reading:
                (found,) = await reading.ask(queries.all_pending(ERASED_TOGETHER))
            await erase(database, session, found)

        with contextlib.suppress(Unavailable):
            await self._database.write(work)
