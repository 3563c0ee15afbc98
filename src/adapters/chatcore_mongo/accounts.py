"""Accounts and their sessions. All times are those of the MongoDB server's clock."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.accounts.ports import AccountStore, Rotation, Session
from chatcore.domain.names import search_forms
from chatcore.errors import Conflict, Unavailable
from chatcore.ids import UserId
from chatcore.ports.user_directory import Profile

from . import queries
from .database import MongoDatabase
from .documents import ACCOUNTS, SESSIONS, Document
from .queries import Query
from .read_session import ReadSession

SPENT_TIMES_KEPT = 16
"""The generations of a session for which the time of their rotation is kept."""

NOW = "$$NOW"
NOT_ENDED: Document = {"$expr": {"$gt": ["$ends_at", NOW]}}
"""A condition. The server deletes sessions some time after ``ends_at``; until then they are ignored."""


class MongoAccounts(AccountStore):
    """Accounts in an open database, such as a `MongoStore`'s."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        account = {"_id": user, "password_hash": password_hash, "name": name, "forms": search_forms(user, name)}

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            try:
                await mongo[ACCOUNTS].insert_one(account, session=session)
            except DuplicateKeyError:
                stored_hash = await _password_hash(ReadSession(mongo, session), user)
                if stored_hash is None:  # the account is written, and no majority has it yet
                    raise Unavailable from None
                if stored_hash != password_hash:
                    raise Conflict from None

        await self._database.write(work)

    async def password_hash(self, user: UserId) -> str | None:
        async with self._database.read_session() as session:
            return await _password_hash(session, user)

    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        stages: list[Document] = [{"$match": {"_id": {"$in": list(users)}}}, {"$project": {"name": 1}}]
        async with self._database.read_session() as session:
            (accounts,) = await session.fetch(Query(ACCOUNTS, stages))
        return {account["_id"]: Profile(name=account["name"]) for account in accounts}

    async def find(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        begins = {"forms": {"$elemMatch": queries.begins_with(prefix)}}
        stages: list[Document] = [{"$match": begins}, {"$limit": limit}, {"$project": {"name": 1}}]
        async with self._database.read_session() as session:
            (accounts,) = await session.fetch(Query(ACCOUNTS, stages))
        return {account["_id"]: Profile(name=account["name"]) for account in accounts}

    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        document: Document = {
            "user": {"$literal": session.user},
            "device": {"$literal": session.device},
            "generation": session.generation,
            "spent_at": [],
            "ends_at": _from_now(lifetime),
        }
        # An existing document wins: a retry of the call changes nothing.
        pipeline = [{"$replaceWith": {"$mergeObjects": [document, "$$ROOT"]}}]

        async def work(mongo: AsyncDatabase[Document], mongo_session: AsyncClientSession) -> None:
            await mongo[SESSIONS].update_one({"_id": session.id}, pipeline, upsert=True, session=mongo_session)

        await self._database.write(work)

    async def session(self, session_id: str) -> Session | None:
        async with self._database.read_session() as session:
            document = await session.fetch_one(_session(session_id))
        return _read_session(document) if document else None

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        spent_at = {"$slice": [{"$concatArrays": ["$spent_at", [NOW]]}, -SPENT_TIMES_KEPT]}
        pipeline = [{"$set": {"generation": generation + 1, "spent_at": spent_at, "ends_at": _from_now(lifetime)}}]

        async def work(mongo: AsyncDatabase[Document], mongo_session: AsyncClientSession) -> Rotation | None:
            rotated = await mongo[SESSIONS].find_one_and_update(
                {"_id": session_id, "generation": generation, **NOT_ENDED},
                pipeline,
                return_document=ReturnDocument.AFTER,
                session=mongo_session,
            )
            if rotated:
                return Rotation(session=_read_session(rotated), spent_for=timedelta(0))
            document = await ReadSession(mongo, mongo_session).fetch_one(_session(session_id))
            return _earlier_rotation(document, generation) if document else None

        return await self._database.write(work)

    async def end_session(self, session_id: str) -> None:
        async def work(mongo: AsyncDatabase[Document], mongo_session: AsyncClientSession) -> None:
            await mongo[SESSIONS].delete_one({"_id": session_id}, session=mongo_session)

        await self._database.write(work)


async def _password_hash(session: ReadSession, user: UserId) -> str | None:
    account = await session.fetch_one(Query(ACCOUNTS, [{"$match": {"_id": user}}]))
    return account["password_hash"] if account else None


def _session(session_id: str) -> Query:
    """Query the document of a session that has not ended, with ``now``, the server's time."""
    return Query(SESSIONS, [{"$match": {"_id": session_id, **NOT_ENDED}}, {"$set": {"now": NOW}}])


def _read_session(document: Document) -> Session:
    return Session(
        id=document["_id"], user=document["user"], device=document["device"], generation=document["generation"]
    )


def _earlier_rotation(document: Document, generation: int) -> Rotation:
    """Return the answer for a generation that was rotated before, or never existed."""
    rotations = document["generation"] - generation
    spent_at = document["spent_at"]
    known = 1 <= rotations <= len(spent_at)
    return Rotation(
        session=_read_session(document), spent_for=document["now"] - spent_at[-rotations] if known else None
    )


def _from_now(time: timedelta) -> Document:
    return {"$add": [NOW, time // timedelta(milliseconds=1)]}
