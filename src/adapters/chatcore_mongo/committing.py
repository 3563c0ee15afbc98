"""Inserting entries: what waits at the same time goes out together, and each gets its own verdict."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Literal, TypeAlias

from attrs import define, frozen
from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from chatcore.errors import Unavailable
from chatcore.ids import RoomId

from .database import WRITE_CONCERN, Database
from .documents import ENTRIES, Document
from .faults import DUPLICATE, translated

TOGETHER = 32
"""Entries, each of another room, that go out in one command."""
UNDER_WAY = 2
"""Commands that the server has at once: it carries one out while we make the next."""

Clash: TypeAlias = Literal["seq", "key"]


@frozen
class Inserted:
    """How many of the documents are there, and what the next one met."""

    written: int
    clash: Clash | None = None


@define(eq=False)
class _Waiting:
    document: RawBSONDocument
    since: float
    inserted: asyncio.Future[Inserted]


class Committer:
    """Inserts documents of entries. One entry goes out with one each of other rooms; more of a room go out alone, in
    their order: so what is written of a room is always a prefix."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: OrderedDict[RoomId, deque[_Waiting]] = OrderedDict()
        self._under_way = 0

    async def insert(self, documents: Sequence[Document]) -> Inserted:
        """Insert documents of one room. Raises `Unavailable`, in time: the outcome is unknown then."""
        raw = [RawBSONDocument(encode(document)) for document in documents]
        if len(raw) > 1:
            return await self._database.write(lambda database, session: _in_order(database, session, raw))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(raw[0], loop.time(), loop.create_future())
        if self._under_way < UNDER_WAY:
            self._database.start(self._run)
            self._under_way += 1
        self._waiting.setdefault(documents[0]["room"], deque()).append(waiting)
        return await waiting.inserted

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._together(self._next())
        finally:
            self._under_way -= 1

    def _next(self) -> Sequence[_Waiting]:
        """One of each room, the one that came first; a room with more goes behind the others."""
        group: list[_Waiting] = []
        for _ in range(min(len(self._waiting), TOGETHER)):
            room, queue = self._waiting.popitem(last=False)
            group.append(queue.popleft())
            if queue:
                self._waiting[room] = queue
        return group

    async def _together(self, group: Sequence[_Waiting]) -> None:
        raw = [waiting.document for waiting in group]
        since = min(waiting.since for waiting in group)
        try:
            outcomes = await self._database.write(lambda database, session: _each(database, session, raw), since=since)
        except Exception as error:  # noqa: BLE001 - each of those who wait gets it
            outcomes = [error] * len(group)
        for waiting, outcome in zip(group, outcomes, strict=True):
            if waiting.inserted.done():
                continue
            if isinstance(outcome, Inserted):
                waiting.inserted.set_result(outcome)
            else:
                waiting.inserted.set_exception(outcome)


async def _in_order(
    database: AsyncDatabase[Document], session: AsyncClientSession, documents: Sequence[RawBSONDocument]
) -> Inserted:
    try:
        await database[ENTRIES].insert_many(documents, session=session)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        (first,) = error.details["writeErrors"]
        return Inserted(first["index"], _clash(first))
    return Inserted(len(documents))


async def _each(
    database: AsyncDatabase[Document], session: AsyncClientSession, documents: Sequence[RawBSONDocument]
) -> list[Inserted | Exception]:
    # The driver's insert_many would also try again, which whoever waits does by itself, and takes longer.
    how = {"ordered": False, "writeConcern": WRITE_CONCERN.document}
    said = await database.command({"insert": ENTRIES, "documents": documents, **how}, session=session)
    outcomes: list[Inserted | Exception]
    if "writeConcernError" in said:
        outcomes = [Unavailable()] * len(documents)
    else:
        outcomes = [Inserted(1)] * len(documents)
    for one in said.get("writeErrors", ()):
        outcomes[one["index"]] = _verdict(one)
    return outcomes


def _verdict(one: Document) -> Inserted | Exception:
    try:
        with translated():
            return Inserted(0, _clash(one))
    except (PyMongoError, Unavailable) as error:
        return error


def _clash(one: Document) -> Clash:
    """Which unique index refused a document. Raises `WriteError` where something else did."""
    if one["code"] != DUPLICATE:
        raise WriteError(one["errmsg"], one["code"], one)
    return "key" if "key" in one["keyPattern"] else "seq"
