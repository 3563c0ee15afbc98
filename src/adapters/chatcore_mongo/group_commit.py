"""Group commit: concurrent appends to different rooms share one insert command, and each gets its own result."""

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

from .database import WRITE_CONCERN, MongoDatabase
from .documents import ENTRIES, Document
from .driver_errors import DUPLICATE_KEY, temporary_as_unavailable

GROUP_MAX = 32
"""The most entries in one command, each of another room."""
COMMANDS_MAX = 2
"""The most commands under way. The server runs one while this process encodes the next."""

Conflict: TypeAlias = Literal["seq", "key"]
"""The unique index that refused a document."""


@frozen
class Inserted:
    """How many documents were inserted, and the unique index that refused the next one, if any."""

    written: int
    conflict: Conflict | None = None


@define(eq=False)
class _PendingInsert:
    document: RawBSONDocument
    since: float
    result: asyncio.Future[Inserted]


class GroupCommit:
    """Inserts the documents of entries.

    A single entry shares a command with entries of other rooms, one of each. Several entries of one call have their own
    command, in their order. So a call always writes a prefix of its entries.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._pending: OrderedDict[RoomId, deque[_PendingInsert]] = OrderedDict()
        self._tasks = 0

    async def insert(self, documents: Sequence[Document]) -> Inserted:
        """Insert documents of one room. Raises `Unavailable` within the time limit; the outcome is unknown then."""
        raw = [RawBSONDocument(encode(document)) for document in documents]
        if len(raw) > 1:
            return await self._database.write(lambda mongo, session: _insert_in_order(mongo, session, raw))
        loop = asyncio.get_running_loop()
        pending = _PendingInsert(raw[0], loop.time(), loop.create_future())
        if self._tasks < COMMANDS_MAX:
            self._database.start(self._insert_pending)
            self._tasks += 1
        self._pending.setdefault(documents[0]["room"], deque()).append(pending)
        return await pending.result

    async def _insert_pending(self) -> None:
        try:
            while self._pending:
                await self._insert_group(self._next_group())
        finally:
            self._tasks -= 1

    def _next_group(self) -> Sequence[_PendingInsert]:
        """Remove and return the oldest insert of each room; a room with more goes behind the others."""
        group: list[_PendingInsert] = []
        for _ in range(min(len(self._pending), GROUP_MAX)):
            room, queue = self._pending.popitem(last=False)
            group.append(queue.popleft())
            if queue:
                self._pending[room] = queue
        return group

    async def _insert_group(self, group: Sequence[_PendingInsert]) -> None:
        raw = [pending.document for pending in group]
        since = min(pending.since for pending in group)
        try:
            results = await self._database.write(lambda mongo, session: _insert_each(mongo, session, raw), since=since)
        except Exception as error:  # noqa: BLE001 - every caller of the group gets it
            results = [error] * len(group)
        for pending, result in zip(group, results, strict=True):
            if pending.result.done():  # its caller was cancelled
                continue
            if isinstance(result, Inserted):
                pending.result.set_result(result)
            else:
                pending.result.set_exception(result)


async def _insert_in_order(
    mongo: AsyncDatabase[Document], session: AsyncClientSession, documents: Sequence[RawBSONDocument]
) -> Inserted:
    """Insert documents of one room up to the first that is refused."""
    try:
        await mongo[ENTRIES].insert_many(documents, session=session)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        (refusal,) = error.details["writeErrors"]
        return Inserted(refusal["index"], _conflict(refusal))
    return Inserted(len(documents))


async def _insert_each(
    mongo: AsyncDatabase[Document], session: AsyncClientSession, documents: Sequence[RawBSONDocument]
) -> list[Inserted | Exception]:
    """Insert each document, whether or not others are refused, and return the result of each."""
    # The driver's insert_many is slower, and would retry, which the callers do themselves.
    options = {"ordered": False, "writeConcern": WRITE_CONCERN.document}
    answer = await mongo.command({"insert": ENTRIES, "documents": documents, **options}, session=session)
    results: list[Inserted | Exception]
    if "writeConcernError" in answer:
        results = [Unavailable()] * len(documents)
    else:
        results = [Inserted(1)] * len(documents)
    for refusal in answer.get("writeErrors", ()):
        results[refusal["index"]] = _refused(refusal)
    return results


def _refused(refusal: Document) -> Inserted | Exception:
    try:
        with temporary_as_unavailable():
            return Inserted(0, _conflict(refusal))
    except (PyMongoError, Unavailable) as error:
        return error


def _conflict(refusal: Document) -> Conflict:
    """Return the unique index that refused a document. Raises `WriteError` if another error did."""
    if refusal["code"] != DUPLICATE_KEY:
        raise WriteError(refusal["errmsg"], refusal["code"], refusal)
    return "key" if "key" in refusal["keyPattern"] else "seq"
