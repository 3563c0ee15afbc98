"""A session for the reads of one call: many queries in one round trip, and never an older answer after a newer one."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq

from . import queries
from .documents import Document
from .queries import Query

QUERIES_TOGETHER = 100
"""The most queries in one command."""

BATCH_SIZE = 1_000
"""Documents in the server's first answer. Its default is 101, with which most pages would take two round trips."""

Results: TypeAlias = list[list[Document]]
"""The documents of each of several queries."""
RunStep: TypeAlias = Callable[[Coroutine[Any, Any, Results]], Awaitable[Results]]

PendingErasures: TypeAlias = Mapping[RoomId, frozenset[Seq]]
"""The deleted messages of each room with a text that may not be erased yet."""


class ReadSession:
    """The reads of one call, one after another. A later read never sees an older state than an earlier one.

    A session is no snapshot. To read a consistent state, fetch `queries.pending_erasures` first, then a room's head.
    Ignore everything above that head. At or below it the log is complete and never changes, except for erased texts.

    Args:
        database: where the queries run.
        session: a causally consistent session of the driver.
        run_step: awaits a command of the driver; a cancellation of the caller must not cancel the command.
    """

    def __init__(
        self, database: AsyncDatabase[Document], session: AsyncClientSession, run_step: RunStep = lambda step: step
    ) -> None:
        self._database = database
        self._session = session
        self._run_step = run_step

    async def fetch(self, *wanted: Query | None) -> Results:
        """Return the documents of each query, none for None. The server runs the queries in their order."""
        some = [query for query in wanted if query]
        results: Results = []
        for start in range(0, len(some), QUERIES_TOGETHER):
            results.extend(await self._run_step(self._fetch_together(some[start : start + QUERIES_TOGETHER])))
        remaining = iter(results)
        return [next(remaining) if query else [] for query in wanted]

    async def fetch_one(self, query: Query) -> Document | None:
        """Return the first document of a query, or None."""
        (documents,) = await self.fetch(query)
        return only(documents)

    async def _fetch_together(self, wanted: Sequence[Query]) -> Results:
        first, *others = wanted
        stages = list(first.stages)
        for number, query in enumerate(others, start=1):
            tag = {"$addFields": {"query": {"$literal": number}}}
            stages.append({"$unionWith": {"coll": query.collection, "pipeline": [*query.stages, tag]}})
        results: Results = [[] for _ in wanted]
        cursor = await self._database[first.collection].aggregate(stages, session=self._session, batchSize=BATCH_SIZE)
        async with cursor:
            for document in await cursor.to_list():  # faster than iterating over the cursor
                results[document.get("query", 0)].append(document)
        return results

    async def pending_erasures(self, rooms: Sequence[RoomId]) -> PendingErasures:
        """Return the deleted messages in ``rooms`` with a text that may not be erased yet."""
        (deletions,) = await self.fetch(queries.pending_erasures(rooms))
        return messages_by_room(deletions)


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
