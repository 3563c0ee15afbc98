"""Asking the server: one round trip for many queries, and never an older answer after a newer one."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.errors import Unavailable
from chatcore.ids import RoomId, Seq

from . import queries
from .documents import Document
from .queries import Query

TOGETHER = 100
"""Queries that go into one command."""

BATCH = 1_000
"""Documents that the server sends at once. Unasked it sends 101 at first, and most pages would take two round trips."""

Found: TypeAlias = list[list[Document]]
"""The documents that each of some queries finds."""
Run: TypeAlias = Callable[[Coroutine[Any, Any, Found]], Awaitable[Found]]

Gone = Mapping[RoomId, frozenset[Seq]]
"""Of each room the messages whose deletion is written, and whose text may still be there."""


class Reading:
    """The reads that one call makes, one after the other; each sees at least what those before it saw.

    None of them is a snapshot of what is read later. A call asks for `pending` first, then for a room's head, and
    takes no account of anything above that head: what lies at or below it is there, whole, and never changes but for
    texts that are erased.
    """

    def __init__(
        self, database: AsyncDatabase[Document], session: AsyncClientSession, run: Run = lambda asking: asking
    ) -> None:
        """``run`` carries out what asks the driver, where whoever waits may be cancelled."""
        self._database = database
        self._session = session
        self._run = run

    async def ask(self, *asked: Query | None) -> Found:
        """The documents that each query finds; None finds none. The queries are carried out in their order."""
        wanted = [query for query in asked if query]
        found: Found = []
        for start in range(0, len(wanted), TOGETHER):
            found.extend(await self._run(self._ask_together(wanted[start : start + TOGETHER])))
        answers = iter(found)
        return [next(answers) if query else [] for query in asked]

    async def ask_one(self, query: Query) -> Document | None:
        (found,) = await self.ask(query)
        return found[0] if found else None

    async def _ask_together(self, asked: Sequence[Query]) -> Found:
        first, *others = asked
        stages = list(first.stages)
        for number, query in enumerate(others, start=1):
            tag = {"$addFields": {"asked": {"$literal": number}}}
            stages.append({"$unionWith": {"coll": query.collection, "pipeline": [*query.stages, tag]}})
        found: Found = [[] for _ in asked]
        cursor = await self._database[first.collection].aggregate(stages, session=self._session, batchSize=BATCH)
        async with cursor:
            for document in await cursor.to_list():  # document by document the driver takes longer to hand them out
                found[document.get("asked", 0)].append(document)
        return found

    async def gone(self, rooms: Sequence[RoomId]) -> Gone:
        (found,) = await self.ask(queries.pending(rooms))
        return gone_of(found)


def gone_of(found: Sequence[Document]) -> Gone:
    """What `queries.pending` has found."""
    targets: dict[RoomId, set[Seq]] = {}
    for one in found:
        targets.setdefault(one["room"], set()).add(one["about"])
    return {room: frozenset(seqs) for room, seqs in targets.items()}


def whole(entries: Sequence[Document], count: int) -> Sequence[Document]:
    """Entries that must be so many. Raises `Unavailable` where an answer came from a server that lags behind."""
    if len(entries) != count:
        raise Unavailable
    return entries


def only(found: Sequence[Any]) -> Any:
    """The one document of an answer, or None."""
    return found[0] if found else None
