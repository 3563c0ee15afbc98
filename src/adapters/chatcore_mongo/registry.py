"""The registry of the sockets on all nodes. All times are those of the MongoDB server's clock."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from attrs import define
from pymongo import DeleteOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.serialization import from_milliseconds, milliseconds
from chatcore.errors import Unavailable
from chatcore.ids import UserId
from chatcore.ports.pushes import ByeCode
from chatcore.ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SocketInfo, SocketRegistry

from .database import MongoDatabase
from .documents import SOCKETS, Document
from .queries import Query
from .read_session import ReadSession

Operation: TypeAlias = UpdateOne | DeleteOne

OPERATIONS_MAX = 500
"""The most sockets in one command."""

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
        self._writes = _SharedWrites(database)

    async def add(self, socket: SocketInfo) -> None:
        ends_at = _from_now(LEASE_S)
        open_socket = {**_document(socket), "ends_at": ends_at, "revoked": None, "kept_until": ends_at}
        await self._writes.write(_put_unless_revoked(socket.id, open_socket))

    async def remove(self, socket: SocketInfo) -> None:
        await self._writes.write(DeleteOne({"_id": socket.id}))

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
        puts = [_put_unless_revoked(socket.id, {**_document(socket), **revoked}) for socket in sockets]

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].bulk_write(puts, session=session)

        if puts:
            await self._database.write(work)


@define(eq=False)
class _Waiting:
    operation: Operation
    done: asyncio.Future[None]


class _SharedWrites:
    """Sends the writes of single sockets. All that wait share a command: after a restart all clients connect at once.

    The writes keep their order. One that has begun to wait is carried out even if its caller is cancelled.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._runs = False

    async def write(self, operation: Operation) -> None:
        """Carry out an operation. Raises `Unavailable`; the outcome is unknown then."""
        waiting = _Waiting(operation, asyncio.get_running_loop().create_future())
        if not self._runs:
            self._database.start(self._run)
            self._runs = True
        self._waiting.append(waiting)
        async with self._database.time_limit():
            await waiting.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), OPERATIONS_MAX))]
                await self._write_group(group)
        finally:
            self._runs = False

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        operations = [waiting.operation for waiting in group]

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].bulk_write(operations, session=session)

        try:
            await self._database.write(work)
        except Exception as error:  # noqa: BLE001 - the callers get it
            if len(group) > 1 and not isinstance(error, Unavailable):
                # An operation of one caller was refused. It must not reach the others; all may be repeated.
                for waiting in group:
                    await self._write_group([waiting])
                return
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
                    waiting.done.exception()  # marks it as retrieved: a cancelled caller never asks for it
        else:
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_result(None)


def _put_unless_revoked(socket_id: str, document: Document) -> UpdateOne:
    """Insert or replace the document of a socket; that of a revoked socket stays."""
    update = [{"$replaceWith": {"$cond": [IS_REVOKED, "$$ROOT", document]}}]
    return UpdateOne({"_id": socket_id}, update, upsert=True)


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
