"""Accounts and their sessions. Time is the server's own."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.accounts.ports import AccountStore, Rotation, Session
from chatcore.errors import Conflict, Unavailable
from chatcore.ids import UserId
from chatcore.ports.user_directory import Profile

from .database import Database
from .documents import ACCOUNTS, SESSIONS, Document
from .queries import Query
from .read_session import ReadSession

SPENDS_KEPT = 16

NOW = "$$NOW"
GOES_ON: Document = {"$expr": {"$gt": ["$ends_at", NOW]}}


class MongoAccounts(AccountStore):
    """Accounts in an open database, of which a `MongoStore` may be the owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        account = {"_id": user, "password_hash": password_hash, "name": name}

        async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
            try:
                await mongo[ACCOUNTS].insert_one(account, session=session)
            except DuplicateKeyError:
                found = await _password_hash(ReadSession(mongo, session), user)
                if found is None:  # it is there, and no majority has it yet
                    raise Unavailable from None
                if found != password_hash:
                    raise Conflict from None

        await self._database.write(work)

    async def password_hash(self, user: UserId) -> str | None:
        async with self._database.read_session() as session:
            return await _password_hash(session, user)

    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        names: list[Document] = [{"$match": {"_id": {"$in": list(users)}}}, {"$project": {"name": 1}}]
        async with self._database.read_session() as session:
            (found,) = await session.fetch(Query(ACCOUNTS, names))
        return {one["_id"]: Profile(name=one["name"]) for one in found}

    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        fields = {"user": session.user, "device": session.device}
        document: Document = {
            **{name: {"$literal": value} for name, value in fields.items()},
            "generation": session.generation,
            "spent_at": [],
            "ends_at": _from_now(lifetime),
        }
        # What is there wins: the same call, made again, changes nothing.
        pipeline = [{"$replaceWith": {"$mergeObjects": [document, "$$ROOT"]}}]

        async def work(mongo: AsyncDatabase[Document], its: AsyncClientSession) -> None:
            await mongo[SESSIONS].update_one({"_id": session.id}, pipeline, upsert=True, session=its)

        await self._database.write(work)

    async def session(self, session_id: str) -> Session | None:
        async with self._database.read_session() as session:
            found = await session.fetch_one(_session(session_id))
        return _read_session(found) if found else None

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        spent_at = {"$slice": [{"$concatArrays": ["$spent_at", [NOW]]}, -SPENDS_KEPT]}
        update = [{"$set": {"generation": generation + 1, "spent_at": spent_at, "ends_at": _from_now(lifetime)}}]

        async def work(mongo: AsyncDatabase[Document], its: AsyncClientSession) -> Rotation | None:
            rotated = await mongo[SESSIONS].find_one_and_update(
                {"_id": session_id, "generation": generation, **GOES_ON},
                update,
                return_document=ReturnDocument.AFTER,
                session=its,
            )
            if rotated:
                return Rotation(session=_read_session(rotated), spent_for=timedelta(0))
            found = await ReadSession(mongo, its).fetch_one(_session(session_id))
            return _rotation(found, generation) if found else None

        return await self._database.write(work)

    async def end_session(self, session_id: str) -> None:
        async def work(mongo: AsyncDatabase[Document], its: AsyncClientSession) -> None:
            await mongo[SESSIONS].delete_one({"_id": session_id}, session=its)

        await self._database.write(work)


async def _password_hash(session: ReadSession, user: UserId) -> str | None:
    found = await session.fetch_one(Query(ACCOUNTS, [{"$match": {"_id": user}}]))
    return found["password_hash"] if found else None


def _session(session_id: str) -> Query:
    """A session that has not ended, and the server's time."""
    return Query(SESSIONS, [{"$match": {"_id": session_id, **GOES_ON}}, {"$set": {"now": NOW}}])


def _read_session(found: Document) -> Session:
    return Session(id=found["_id"], user=found["user"], device=found["device"], generation=found["generation"])


def _rotation(found: Document, generation: int) -> Rotation:
    back = found["generation"] - generation
    spent_at = found["spent_at"]
    known = 1 <= back <= len(spent_at)
    return Rotation(session=_read_session(found), spent_for=found["now"] - spent_at[-back] if known else None)


def _from_now(time: timedelta) -> Document:
    return {"$add": [NOW, time // timedelta(milliseconds=1)]}
