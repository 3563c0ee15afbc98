"""A session for the reads of one call: many queries in one round trip, and never an older answer after a newer one."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from attrs import define
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq

from . import queries
from .documents import Document
from .queries import Query

QUERIES_TOGETHER = 100
"""The most queries in one command."""
COMMANDS_MAX = 4
"""The most commands of read sessions under way. Under load the calls that wait meanwhile share the next command."""

BATCH_SIZE = 1_000
"""Documents in the server's first answer. Its default is 101, with which most pages would take two round trips."""

Results: TypeAlias = list[list[Document]]
"""The documents of each of several queries."""
PendingErasures: TypeAlias = Mapping[RoomId, frozenset[Seq]]
"""The deleted messages of each room with a text that may not be erased yet."""


class ReadSession:
    """The reads of one call, one after another. A later read never sees an older state than an earlier one.

    A session is no snapshot. To read a consistent state, fetch a room's head first, then `queries.pending_erasures`,
    then entries: a deletion at or below that head is pending still, or its text is gone. Ignore everything above that
    head. At or below it the log is complete and never changes, except for erased texts.

    Args:
        database: where the queries run.
        session: a causally consistent session of the driver.
        groups: where the queries run together with those of other calls; None to send them alone.
    """

    def __init__(
        self, database: AsyncDatabase[Document], session: AsyncClientSession, groups: "ReadGroups | None" = None
    ) -> None:
        self._database = database
        self._session = session
        self._groups = groups

    async def fetch(self, *wanted: Query | None) -> Results:
        """Return the documents of each query, none for None. The server runs the queries in their order."""
        some = [query for query in wanted if query]
        results: Results = []
        for start in range(0, len(some), QUERIES_TOGETHER):
            together = some[start : start + QUERIES_TOGETHER]
            if self._groups:
                results.extend(await self._groups.fetch(self._session, together))
            else:
                results.extend(await _fetch(self._database, self._session, together))
        remaining = iter(results)
        return [next(remaining) if query else [] for query in wanted]

    async def fetch_one(self, query: Query) -> Document | None:
        """Return the first document of a query, or None."""
        (documents,) = await self.fetch(query)
        return only(documents)

    async def pending_erasures(self, rooms: Sequence[RoomId]) -> PendingErasures:
        """Return the deleted messages in ``rooms`` with a text that may not be erased yet."""
        (deletions,) = await self.fetch(queries.pending_erasures(rooms))
        return messages_by_room(deletions)


async def _fetch(database: AsyncDatabase[Document], session: AsyncClientSession, wanted: Sequence[Query]) -> Results:
    first, *others = wanted
    stages = list(first.stages)
    for number, query in enumerate(others, start=1):
        tag = {"$addFields": {"query": {"$literal": number}}}
        stages.append({"$unionWith": {"coll": query.collection, "pipeline": [*query.stages, tag]}})
    results: Results = [[] for _ in wanted]
    cursor = await database[first.collection].aggregate(stages, session=session, batchSize=BATCH_SIZE)
    async with cursor:
        for document in await cursor.to_list():  # faster than iterating over the cursor
            results[document.pop("query", 0)].append(document)
    return results


@define(eq=False)
class _Read:
    """Queries of one session. ``session`` has seen what their results must not be older than."""

    session: AsyncClientSession
    queries: Sequence[Query]
    results: asyncio.Future[Results]


class ReadGroups:
    """Sends the queries of read sessions. Sessions that wait at the same time share commands.

    Args:
        database: where the queries run.
        open_session: opens a causally consistent session of the driver, with a time limit of its own.
        start: runs work in a task that the caller's cancellation does not reach: a driver that is cancelled while it
            finds no server may hold a lock for ever, and block the whole client.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        open_session: Callable[[], AbstractAsyncContextManager[AsyncClientSession]],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._database = database
        self._open_session = open_session
        self._start = start
        self._waiting: deque[_Read] = deque()
        self._tasks = 0

    async def fetch(self, session: AsyncClientSession, wanted: Sequence[Query]) -> Results:
        """Return the documents of each query. They are not older than what ``session`` has seen."""
        read = _Read(session, wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(read)
        if self._tasks < COMMANDS_MAX:
            self._tasks += 1
            self._start(self._read_waiting())
        return await read.results

    async def _read_waiting(self) -> None:
        try:
            while self._waiting:
                if group := self._next_group():
                    await self._read_group(group)
        finally:
            self._tasks -= 1

    def _next_group(self) -> Sequence[_Read]:
        """Remove and return the oldest reads, as many as fit in a command. Those of cancelled callers are dropped."""
        group: list[_Read] = []
        queries = 0
        while self._waiting and queries + len(self._waiting[0].queries) <= QUERIES_TOGETHER:
            read = self._waiting.popleft()
            if not read.results.done():
                group.append(read)
                queries += len(read.queries)
        return group

    async def _read_group(self, group: Sequence[_Read]) -> None:
        try:
            async with self._open_session() as session:
                for read in group:
                    _advance(session, read.session)
                results = await _fetch(self._database, session, [query for read in group for query in read.queries])
        except Exception as error:  # noqa: BLE001 - the callers get it
            if len(group) > 1 and not isinstance(error, Unavailable):
                # The server refused a query of one caller. It must not reach the others.
                for read in group:
                    await self._read_group([read])
                return
            for read in group:
                if not read.results.done():
                    read.results.set_exception(error)
                    read.results.exception()  # marks it as retrieved: a cancelled caller never asks for it
            return
        remaining = iter(results)
        for read in group:
            own = [next(remaining) for _ in read.queries]
            if not read.results.done():  # else the caller was cancelled
                _advance(read.session, session)
                read.results.set_result(own)


def _advance(session: AsyncClientSession, seen: AsyncClientSession) -> None:
    """Let ``session`` read nothing older than what ``seen`` has read or written."""
    if seen.operation_time and seen.cluster_time:
        session.advance_cluster_time(seen.cluster_time)
        session.advance_operation_time(seen.operation_time)


def messages_by_room(deletions: Sequence[Document]) -> PendingErasures:
    """Return the messages that the documents of `queries.pending_erasures` delete."""
    messages: dict[RoomId, set[Seq]] = {}
    for deletion in deletions:
        messages.setdefault(deletion["room"], set()).add(deletion["about"])
    return {room: frozenset(seqs) for room, seqs in messages.items()}


def complete(documents: Sequence[Document], count: int) -> Sequence[Document]:
    """Return ``documents``. Raises `Unavailable` unless there are ``count``: then the answering server lags behind."""
    if len(documents) != count:
        raise Unavailable
    return documents


def only(documents: Sequence[Document]) -> Document | None:
    """Return the first document, or None."""
    return documents[0] if documents else None
