"""The registry of the sockets on all nodes. All times are those of the MongoDB server's clock."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from attrs import define
from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.presence import GRACE_S
from chatcore.domain.serialization import from_milliseconds, milliseconds
from chatcore.errors import Unavailable
from chatcore.ids import UserId
from chatcore.ports.pushes import ByeCode
from chatcore.ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SeenUser, SocketInfo, SocketRegistry

from .database import MongoDatabase
from .documents import SOCKETS, Document
from .queries import Query
from .read_session import ReadSession

OPERATIONS_MAX = 500
"""The most sockets in one command."""

NOW = "$$NOW"
IS_KEPT: Document = {"$gt": ["$kept_until", NOW]}
"""An expression. The server deletes documents some time after ``kept_until``; until then they are ignored."""
IS_OPEN: Document = {"revoked": None, "$expr": {"$gt": ["$ends_at", NOW]}}
"""A condition: the lease runs, and the socket is not revoked."""
IS_RUNNING: Document = {"$and": [{"$eq": [{"$ifNull": ["$revoked", None]}, None]}, {"$gt": ["$ends_at", NOW]}]}
"""The same as an expression, also for a document that is not there yet."""
ENDED: Document = {"$cond": [IS_RUNNING, NOW, {"$ifNull": ["$ended", None]}]}
"""An expression: when the socket was removed or revoked, None if its lease had ended by itself before."""
IS_REVOKED: Document = {"$and": [IS_KEPT, {"$gt": ["$revoked", None]}]}
"""An expression."""


class MongoRegistry(SocketRegistry):
    """The registry in an open database, such as a `MongoStore`'s.

    A socket is a document: ``{_id, user, device, node, since, session, away, ends_at, revoked, kept_until, ended?,
    removed?}``. ``revoked`` is the code that the node must send to the client, or None. A removed socket stays for
    `GRACE_S`, if its lease had not ended by itself; ``ended`` is the time of its removal or revocation.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._writes = _SharedWrites(database)

    async def add(self, socket: SocketInfo) -> None:
        ends_at = _from_now(LEASE_S)
        open_socket = {**_document(socket), "ends_at": ends_at, "revoked": None, "kept_until": ends_at}
        await self._writes.write(_put_unless_revoked(socket.id, open_socket))

    async def remove(self, socket: SocketInfo) -> None:
        remove: list[Document] = [
            {"$set": {"ended": ENDED}},
            {"$set": {"ends_at": NOW, "revoked": None, "removed": True, "kept_until": _after_end(GRACE_S)}},
        ]
        await self._writes.write(UpdateOne({"_id": socket.id}, remove))

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        ids = [socket.id for socket in sockets]
        if not ids:
            return LeaseRenewal(lost=frozenset(), to_close={})
        ends_at = _from_now(LEASE_S)

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> list[Document]:
            match: Document = {"_id": {"$in": ids}}
            pipeline = [{"$set": {"ends_at": ends_at, "kept_until": ends_at}}]
            await mongo[SOCKETS].update_many({**match, **IS_OPEN}, pipeline, session=session)
            kept = Query(SOCKETS, [{"$match": {**match, "removed": None, "$expr": IS_KEPT}}])
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

    async def presence(self, users: Collection[UserId], but: str) -> Mapping[UserId, SeenUser]:
        if not users:
            return {}
        since_end = {"$subtract": [NOW, "$ended"]}
        counts = {"$or": [IS_RUNNING, {"$gt": ["$ended", _from_now(-GRACE_S)]}]}
        ended_ms = {"$cond": [IS_RUNNING, None, since_end]}
        match: Document = {"user": {"$in": list(users)}, "node": {"$ne": but}, "$expr": counts}
        shown: Document = {"_id": 0, "user": 1, "away": 1, "ended_ms": ended_ms}
        async with self._database.read_session() as session:
            (documents,) = await session.fetch(Query(SOCKETS, [{"$match": match}, {"$project": shown}]))
        by_user: dict[UserId, list[Document]] = {}
        for document in documents:
            by_user.setdefault(document["user"], []).append(document)
        return {user: _seen(sockets) for user, sockets in by_user.items()}

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        revoked = {"ended": ENDED, "ends_at": NOW, "revoked": {"$literal": code}, "kept_until": _from_now(REVOKED_S)}
        puts = [_put_unless_revoked(socket.id, {**_document(socket), **revoked}) for socket in sockets]

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            await mongo[SOCKETS].bulk_write(puts, session=session)

        if puts:
            await self._database.write(work)


@define(eq=False)
class _Waiting:
    operation: UpdateOne
    done: asyncio.Future[None]


class _SharedWrites:
    """Sends the writes of single sockets. All that wait share a command: after a restart all clients connect at once.

    The writes keep their order. One that has begun to wait is carried out even if its caller is cancelled.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._runs = False

    async def write(self, operation: UpdateOne) -> None:
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
        "away": socket.away,
    }


def _seen(documents: Sequence[Document]) -> SeenUser:
    """Return the presence of a user by documents of open sockets, and of sockets that ended a moment ago."""
    if open_ones := [document for document in documents if document["ended_ms"] is None]:
        return SeenUser(state="away" if all(document.get("away") for document in open_ones) else "online")
    last = min(documents, key=lambda document: document["ended_ms"])
    return SeenUser(state="away" if last.get("away") else "online", ended_s=last["ended_ms"] / 1000)


def _read_socket(document: Document) -> SocketInfo:
    return SocketInfo(
        id=document["_id"],
        user=document["user"],
        device=document["device"],
        node=document["node"],
        since=from_milliseconds(document["since"]),
        session=document["session"],
        away=document.get("away", False),
    )


def _from_now(seconds: int) -> Document:
    return {"$add": [NOW, seconds * 1000]}


def _after_end(seconds: int) -> Document:
    """Return so many seconds after ``ended``, or now if that is None."""
    return {"$cond": [{"$eq": ["$ended", None]}, NOW, {"$add": ["$ended", seconds * 1000]}]}
