"""Accounts and their sessions, in the tables of `schema.ACCOUNTS`."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from itertools import islice
from sqlite3 import Connection

import attrs

from chatcore.accounts.ports import AccountStore, Rotation, Session
from chatcore.domain.names import FORMS, end_of_prefix, search_forms
from chatcore.errors import Conflict
from chatcore.ids import UserId
from chatcore.ports.user_directory import Profile

from . import statements
from .database import SqliteDatabase

SPENDS_KEPT = 16


class SqliteAccounts(AccountStore):
    """Accounts in an open database, such as a `SqliteStore`'s. ``clock`` returns seconds since 1970."""

    def __init__(self, database: SqliteDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        def work(connection: Connection) -> None:
            inserted = connection.execute(
                "INSERT INTO accounts (user, password_hash, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (user, password_hash, name),
            )
            if _password_hash(connection, user) != password_hash:
                raise Conflict
            if inserted.rowcount:
                forms = [(form, user) for form in search_forms(user, name)]
                connection.executemany(statements.ADD_NAME, forms)

        await self._database.write(work)

    async def password_hash(self, user: UserId) -> str | None:
        return await self._database.read(lambda connection: _password_hash(connection, user))

    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        query = "SELECT user, name FROM accounts WHERE user IN (SELECT value FROM json_each(?))"
        wanted = json.dumps(list(users))
        rows = await self._database.read(lambda connection: connection.execute(query, (wanted,)).fetchall())
        return {user: Profile(name=name) for user, name in rows}

    async def find(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        end = end_of_prefix(prefix) or statements.ABOVE_TEXT
        bounds = prefix, end, FORMS * limit  # some users are found by each of their forms
        rows = await self._database.read(lambda connection: connection.execute(statements.FIND, bounds).fetchall())
        return dict(islice({user: Profile(name=name) for user, name in rows}.items(), limit))

    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        def work(connection: Connection) -> None:
            now = self._now()
            connection.execute("DELETE FROM sessions WHERE ends_at <= ?", (now,))
            connection.execute(
                "INSERT INTO sessions (id, user, device, generation, spent_at, ends_at) VALUES (?, ?, ?, ?, '[]', ?)"
                " ON CONFLICT DO NOTHING",
                (session.id, session.user, session.device, session.generation, now + _milliseconds(lifetime)),
            )

        await self._database.write(work)

    async def session(self, session_id: str) -> Session | None:
        open_session = await self._database.read(lambda connection: _session(connection, session_id, self._now()))
        return open_session[0] if open_session else None

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        def work(connection: Connection) -> Rotation | None:
            now = self._now()
            open_session = _session(connection, session_id, now)
            if open_session is None:
                return None
            session, spent_at = open_session
            if session.generation == generation:
                session = attrs.evolve(session, generation=generation + 1)
                spent_at = [*spent_at, now][-SPENDS_KEPT:]
                connection.execute(
                    "UPDATE sessions SET generation = ?, spent_at = ?, ends_at = ? WHERE id = ?",
                    (session.generation, json.dumps(spent_at), now + _milliseconds(lifetime), session_id),
                )
            back = session.generation - generation
            known = 1 <= back <= len(spent_at)
            return Rotation(session=session, spent_for=timedelta(milliseconds=now - spent_at[-back]) if known else None)

        return await self._database.write(work)

    async def end_session(self, session_id: str) -> None:
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).close()
        )

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _password_hash(connection: Connection, user: UserId) -> str | None:
    row: tuple[str] | None = connection.execute("SELECT password_hash FROM accounts WHERE user = ?", (user,)).fetchone()
    return row[0] if row else None


def _session(connection: Connection, session_id: str, now: int) -> tuple[Session, list[int]] | None:
    """Return a session that has not ended, and when its newest generations were spent; None if there is none."""
    query = "SELECT user, device, generation, spent_at FROM sessions WHERE id = ? AND ends_at > ?"
    row = connection.execute(query, (session_id, now)).fetchone()
    if row is None:
        return None
    user, device, generation, spent_at = row
    return Session(id=session_id, user=user, device=device, generation=generation), json.loads(spent_at)


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
