"""Which sockets a user has, on every node. Time is the server's own."""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.page_tokens import from_milliseconds, milliseconds
from chatcore.ids import UserId
from chatcore.ports.connection import ByeCode
from chatcore.ports.registry import LEASE_S, REVOKED_S, Renewed, SocketInfo, SocketRegistry

from .database import Database
from .documents import SOCKETS, Document
from .queries import Query
from .read_session import ReadSession

NOW = "$$NOW"
IS_KEPT: Document = {"$gt": ["$kept_until", NOW]}
"""What is past its time, and has not been taken out yet, is not there."""
RUNS: Document = {"revoked": None, "$expr": {"$gt": ["$ends_at", NOW]}}
"""Leases that have not ended."""
IS_REVOKED: Document = {"$and": [IS_KEPT, {"$gt": ["$revoked", None]}]}


class MongoRegistry(SocketRegistry):
    """The registry in an open database, of which a `MongoStore` may be the owner.

    A socket is a document: ``{_id, user, device, node, since, session, ends_at, revoked, kept_until}``; ``revoked``
    is the code that its client is to be told.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, socket: SocketInfo) -> None:
        ends_at = _from_now(LEASE_S)
        added = {**_document(socket), "ends_at": ends_at, "revoked": None, "kept_until": ends_at}
        await self._put_unless_revoked({socket.id: added})

    async def remove(self, socket: SocketInfo) -> None:
        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].delete_one({"_id": socket.id}, session=session)

        await self._database.write(work)

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> Renewed:
        identities = [socket.id for socket in sockets]
        if not identities:
            return Renewed(lost=frozenset(), to_close={})
        ends_at = _from_now(LEASE_S)

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> list[Document]:
            its: Document = {"_id": {"$in": identities}}
            pipeline = [{"$set": {"ends_at": ends_at, "kept_until": ends_at}}]
            await mongo[SOCKETS].update_many({**its, **RUNS}, pipeline, session=session)
            (found,) = await ReadSession(mongo, session).fetch(Query(SOCKETS, [{"$match": {**its, "$expr": IS_KEPT}}]))
            return found

        kept = {one["_id"]: one["revoked"] for one in await self._database.write(work)}
        return Renewed(
            lost=frozenset(identities) - kept.keys(), to_close={one: code for one, code in kept.items() if code}
        )

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        async with self._database.read_session() as session:
            (found,) = await session.fetch(Query(SOCKETS, [{"$match": {"user": user, **RUNS}}]))
        return sorted(map(_read, found), key=lambda socket: (socket.since, socket.id))

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        revoked = {"ends_at": NOW, "revoked": {"$literal": code}, "kept_until": _from_now(REVOKED_S)}
        await self._put_unless_revoked({socket.id: {**_document(socket), **revoked} for socket in sockets})

    async def _put_unless_revoked(self, documents: Mapping[str, Document]) -> None:
        """Put each document in the place of the one that is there, unless that says that the socket is revoked."""
        puts = [
            UpdateOne({"_id": socket}, [{"$replaceWith": {"$cond": [IS_REVOKED, "$$ROOT", new]}}], upsert=True)
            for socket, new in documents.items()
        ]

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].bulk_write(puts, session=session)

        if puts:
            await self._database.write(work)


def _document(socket: SocketInfo) -> Document:
    texts = {"user": socket.user, "device": socket.device, "node": socket.node, "session": socket.session}
    return {
        "_id": {"$literal": socket.id},
        **{name: {"$literal": text} for name, text in texts.items()},
        "since": milliseconds(socket.since),
    }


def _read(found: Document) -> SocketInfo:
    return SocketInfo(
        id=found["_id"],
        user=found["user"],
        device=found["device"],
        node=found["node"],
        since=from_milliseconds(found["since"]),
        session=found["session"],
    )


def _from_now(seconds: int) -> Document:
    return {"$add": [NOW, seconds * 1000]}
