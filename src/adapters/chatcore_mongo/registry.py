"""The registry of the sockets on all nodes. All times are those of the MongoDB server's clock."""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.serialization import from_milliseconds, milliseconds
from chatcore.ids import UserId
from chatcore.ports.pushes import ByeCode
from chatcore.ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SocketInfo, SocketRegistry

from .database import MongoDatabase
from .documents import SOCKETS, Document
from .queries import Query
from .read_session import ReadSession

NOW = "$$NOW"
IS_KEPT: Document = {"$gt": ["$kept_until", NOW]}
"""An expression. The server deletes documents some time after ``kept_until``; until then they are ignored."""
IS_OPEN: Document = {"revoked": None, "$expr": {"$gt": ["$ends_at", NOW]}}
"""A condition: the lease runs, and the socket is not revoked."""
IS_REVOKED: Document = {"$and": [IS_KEPT, {"$gt": ["$revoked", None]}]}
"""An expression."""


class MongoRegistry(SocketRegistry):
    """The registry in an open database, such as a `MongoStore`'s.

    A socket is a document: ``{_id, user, device, node, since, session, ends_at, revoked, kept_until}``. ``revoked`` is
    the code that the node must send to the client, or None.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def add(self, socket: SocketInfo) -> None:
        ends_at = _from_now(LEASE_S)
        open_socket = {**_document(socket), "ends_at": ends_at, "revoked": None, "kept_until": ends_at}
        await self._put_unless_revoked({socket.id: open_socket})

    async def remove(self, socket: SocketInfo) -> None:
        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].delete_one({"_id": socket.id}, session=session)

        await self._database.write(work)

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        ids = [socket.id for socket in sockets]
        if not ids:
            return LeaseRenewal(lost=frozenset(), to_close={})
        ends_at = _from_now(LEASE_S)

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> list[Document]:
            match: Document = {"_id": {"$in": ids}}
            pipeline = [{"$set": {"ends_at": ends_at, "kept_until": ends_at}}]
            await mongo[SOCKETS].update_many({**match, **IS_OPEN}, pipeline, session=session)
            kept = Query(SOCKETS, [{"$match": {**match, "$expr": IS_KEPT}}])
            (documents,) = await ReadSession(mongo, session).fetch(kept)
            return documents

        revoked = {document["_id"]: document["revoked"] for document in await self._database.write(work)}
        return LeaseRenewal(
            lost=frozenset(ids) - revoked.keys(),
            to_close={socket_id: code for socket_id, code in revoked.items() if code},
        )

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        async with self._database.read_session() as session:
            (documents,) = await session.fetch(Query(SOCKETS, [{"$match": {"user": user, **IS_OPEN}}]))
        return sorted(map(_read_socket, documents), key=lambda socket: (socket.since, socket.id))

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        revoked = {"ends_at": NOW, "revoked": {"$literal": code}, "kept_until": _from_now(REVOKED_S)}
        await self._put_unless_revoked({socket.id: {**_document(socket), **revoked} for socket in sockets})

    async def _put_unless_revoked(self, documents: Mapping[str, Document]) -> None:
        """Insert or replace the documents of sockets, by id; those of revoked sockets stay."""
        puts = [
            UpdateOne({"_id": socket_id}, [{"$replaceWith": {"$cond": [IS_REVOKED, "$$ROOT", new]}}], upsert=True)
            for socket_id, new in documents.items()
        ]

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].bulk_write(puts, session=session)

        if puts:
            await self._database.write(work)


def _document(socket: SocketInfo) -> Document:
    """Return the document of a socket as an expression, in which a text may begin with a ``$``."""
    texts = {"user": socket.user, "device": socket.device, "node": socket.node, "session": socket.session}
    return {
        "_id": {"$literal": socket.id},
        **{name: {"$literal": text} for name, text in texts.items()},
        "since": milliseconds(socket.since),
    }


def _read_socket(document: Document) -> SocketInfo:
    return SocketInfo(
        id=document["_id"],
        user=document["user"],
        device=document["device"],
        node=document["node"],
        since=from_milliseconds(document["since"]),
        session=document["session"],
    )


def _from_now(seconds: int) -> Document:
    return {"$add": [NOW, seconds * 1000]}
