"""Group commit: all entries that wait share one insert command, and each batch gets its own result."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Literal, TypeAlias

from attrs import define, frozen
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError, WriteError

from chatcore.errors import Unavailable

from .database import WRITE_CONCERN, MongoDatabase
from .documents import ENTRIES, Document
from .driver_errors import DUPLICATE_KEY, temporary_as_unavailable

COMMANDS_MAX = 2
"""The most commands under way. The server runs one while this process encodes the next."""
COMMAND_ENTRIES_MAX = 1_000
"""The most entries in one command."""
COMMAND_BYTES_MAX = 8 * 2**20
"""The most bytes of several entries in one command. The server takes 48 MB, and one document of 16 MiB."""

Conflict: TypeAlias = Literal["seq", "key"]
"""The unique index that refused a document."""


@frozen
class Inserted:
    """How many documents were inserted, and the unique index that refused the next one, if any."""

    written: int
    conflict: Conflict | None = None


Result: TypeAlias = Inserted | Exception


@define(eq=False)
class _Batch:
    """Documents of one room. The first ``written`` ones are inserted. ``result`` is None until the batch has ended."""

    documents: Sequence[bytes]
    written: int = 0
    result: Result | None = None


@define(eq=False)
class _Call:
    batches: Sequence[_Batch]
    since: float
    results: asyncio.Future[Sequence[Result]]

    @property
    def entries(self) -> int:
        return sum(len(batch.documents) for batch in self.batches)


class GroupCommit:
    """Inserts the documents of entries. Calls that wait at the same time share commands."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._calls: deque[_Call] = deque()
        self._tasks = 0

    async def insert(self, batches: Sequence[Sequence[bytes]]) -> Sequence[Result]:
        """Insert a prefix of each batch, which is encoded documents of one room. Return the result of each batch.

        It is `Unavailable` within the time limit; the outcome is unknown then.
        """
        loop = asyncio.get_running_loop()
        call = _Call([_Batch(documents) for documents in batches], loop.time(), loop.create_future())
        if self._tasks < COMMANDS_MAX:
            self._database.start(self._insert_pending)
            self._tasks += 1
        self._calls.append(call)
        return await call.results

    async def _insert_pending(self) -> None:
        try:
            while self._calls:
                await self._insert_group(self._next_group())
        finally:
            self._tasks -= 1

    def _next_group(self) -> Sequence[_Call]:
        """Remove and return the oldest calls, at least one, as many as fit in a command."""
        group = [self._calls.popleft()]
        entries = group[0].entries
        while self._calls and (entries := entries + self._calls[0].entries) <= COMMAND_ENTRIES_MAX:
            group.append(self._calls.popleft())
        return group

    async def _insert_group(self, group: Sequence[_Call]) -> None:
        batches = [batch for call in group for batch in call.batches]
        failure: Exception = Unavailable()
        try:
            await self._database.write(lambda mongo, session: _insert(mongo, session, batches), since=group[0].since)
        except Exception as error:  # noqa: BLE001 - every batch that has not ended gets it
            failure = error
        for call in group:
            if not call.results.done():  # else the caller was cancelled
                call.results.set_result([batch.result or failure for batch in call.batches])


async def _insert(mongo: AsyncDatabase[Document], session: AsyncClientSession, pending: Sequence[_Batch]) -> None:
    """Insert a prefix of each batch, and set its result.

    A document behind a refused one of its batch must not be inserted. So a command with several documents of a batch is
    ordered: the server stops at the first refused one. What stands behind that is sent again, but first an unordered
    command with one document of each batch finds at once all batches that another writer was faster than.
    """
    each = COMMAND_ENTRIES_MAX
    while pending:
        documents, batches = _next_documents(pending, each)
        ordered = len(set(batches)) < len(batches)
        # The driver's insert_many is slower, and would retry, which the callers do themselves.
        options = {"ordered": ordered, "writeConcern": WRITE_CONCERN.document}
        answer = await mongo.command({"insert": ENTRIES, "documents": documents, **options}, session=session)
        if "writeConcernError" in answer:
            raise Unavailable
        refusals = {refusal["index"]: refusal for refusal in answer.get("writeErrors", ())}
        for index, batch in enumerate(batches):
            if refusal := refusals.get(index):
                batch.result = _refused(batch.written, refusal)
                if ordered:
                    break
            else:
                batch.written += 1
                if batch.written == len(batch.documents):
                    batch.result = Inserted(batch.written)
        pending = [batch for batch in pending if batch.result is None]
        each = 1 if ordered and refusals else COMMAND_ENTRIES_MAX


def _next_documents(pending: Sequence[_Batch], each: int) -> tuple[Sequence[RawBSONDocument], Sequence[_Batch]]:
    """Return up to ``each`` next documents of each batch, as many as fit in a command, and the batch of each."""
    batches: list[_Batch] = []
    documents: list[RawBSONDocument] = []
    size = 0
    for batch in pending:
        for document in batch.documents[batch.written : batch.written + each]:
            size += len(document)
            if documents and (size > COMMAND_BYTES_MAX or len(documents) == COMMAND_ENTRIES_MAX):
                return documents, batches
            batches.append(batch)
            documents.append(RawBSONDocument(document))
    return documents, batches


def _refused(written: int, refusal: Document) -> Result:
    try:
        with temporary_as_unavailable():
            return Inserted(written, _conflict(refusal))
    except (PyMongoError, Unavailable) as error:
        return error


def _conflict(refusal: Document) -> Conflict:
    """Return the unique index that refused a document. Raises `WriteError` if another error did."""
    if refusal["code"] != DUPLICATE_KEY:
        raise WriteError(refusal["errmsg"], refusal["code"], refusal)
    return "key" if "key" in refusal["keyPattern"] else "seq"
