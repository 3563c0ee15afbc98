"""The connection to a MongoDB database: opening, closing, and the limits and guarantees of every read and write."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

import pymongo
from bson import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from chatcore.errors import StoreError, Unavailable
from chatcore.fault_log import FaultLog

from . import migrations
from .connection_string import client_for, hosts_of
from .documents import META, Document
from .driver_errors import opening_as_store_error, temporary_as_unavailable
from .read_session import ReadGroups, ReadSession

T = TypeVar("T")

log: Final = logging.getLogger(__name__)

DRIVER_TIMEOUT_S = 1.4
"""The driver's time for all commands of one session. The driver checks it between the steps of a command."""
CALL_TIMEOUT_S = 1.8
"""The most seconds of a call, whatever the server, the network, the pool or the driver does."""
OPEN_TIMEOUT_S = 5
"""The time in which a server must answer while the database is opened."""
DEFAULT_NAME = "chatcore"
"""The database's name if the connection string has none."""

READ_SESSIONS_MAX = 64
"""Read sessions at the same time. Under overload these finish in time, while the others wait for their turn."""
TURN_S = 0.9
"""Seconds that a read waits for its turn until it fails: without enough time left it would only delay the others."""

INVALID = (
    "The database at {} is not the one that was opened: it was dropped or replaced. Everything is refused from now on; "
    "restart every server that uses it."
)
NEEDS_ASYNCIO = "MongoDB's driver needs asyncio, and another event loop runs (trio's?): run the program on asyncio."

READ_CONCERN = ReadConcern("majority")
WRITE_CONCERN = WriteConcern(w="majority", j=True)


class MongoDatabase:
    """A MongoDB database, open while at least one task has entered it. Needs asyncio.

    Several tasks of one event loop may enter it: it opens with the first and closes with the last.

    Args:
        url: a connection string; its path is the database's name.
        options: further arguments of `pymongo.AsyncMongoClient`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self._users = 0
        self._opening = asyncio.Lock()
        self._connection: _Connection | None = None
        self._write_faults = FaultLog(f"MongoDB at {self.where}", "written to")
        self._read_faults = FaultLog(f"MongoDB at {self.where}", "read")

    @property
    def where(self) -> str:
        """The database's hosts, without the secrets of the connection string."""
        return hosts_of(self._url)

    @property
    def epoch(self) -> str:
        """The id of the store in this database. Raises `Unavailable` while the database is closed or invalid."""
        return self._connected().epoch

    async def __aenter__(self) -> Self:
        """Open the database and apply missing migrations.

        Raises:
            StoreError: the database can't be reached, is newer than this program, or is invalid and not closed yet.
            RuntimeError: no asyncio event loop runs.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(NEEDS_ASYNCIO) from None
        async with self._opening:
            if self._connection is None:
                self._connection = await self._connect()
            elif self._connection.invalid:
                raise StoreError(INVALID.format(self.where))
            self._users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._opening:
            self._users -= 1
            if self._users == 0 and self._connection is not None:
                connection, self._connection = self._connection, None
                await asyncio.shield(connection.close())

    async def migrate(self, announce: Callable[[int, int, str], None], *, dry_run: bool = False) -> None:
        """Apply missing migrations without entering the database.

        Args:
            announce: called before each migration with its number, the number of migrations, and a description.
            dry_run: announce only, change nothing.

        Raises:
            StoreError: as `__aenter__`.
        """
        with opening_as_store_error(self.where):
            client = client_for(self._url, self._options)
            try:
                with pymongo.timeout(OPEN_TIMEOUT_S):
                    version = await migrations.check(self._database_of(client), self.where)
                await migrations.apply(self._database_of(client), version, announce, dry_run=dry_run)
            finally:
                await client.close()

    @asynccontextmanager
    async def time_limit(self, since: float | None = None, faults: FaultLog | None = None) -> AsyncGenerator[None]:
        """Raise `Unavailable` once the body takes longer than `CALL_TIMEOUT_S`. Nested limits count together.

        Time in which the event loop is blocked counts, here and in the driver: calls under way fail when it is blocked
        for longer than `DRIVER_TIMEOUT_S`, even if the server has answered.

        Args:
            since: the event loop's time when the caller began to wait; None for now.
            faults: where a fault is noted; None for the faults of writes.
        """
        faults = faults or self._write_faults
        began = asyncio.get_running_loop().time() if since is None else since
        try:
            async with asyncio.timeout_at(began + CALL_TIMEOUT_S):
                yield
        except TimeoutError:
            fault = Unavailable()
            cause = TimeoutError(f"there was no answer within {CALL_TIMEOUT_S} s")
            fault.__cause__ = cause
            self._note(fault, faults)
            raise fault from cause
        except Unavailable as fault:
            self._note(fault, faults)
            raise

    def _note(self, fault: Unavailable, faults: FaultLog) -> None:
        """Log a fault, unless the database is invalid: that was logged once."""
        if self._connection is None or not self._connection.invalid:
            faults.note(fault)

    @asynccontextmanager
    async def read_session(self) -> AsyncGenerator[ReadSession]:
        """Open a session for the reads of one call.

        Raises `Unavailable` on temporary faults and after `CALL_TIMEOUT_S`.
        """
        connection = self._connected()
        async with (
            self.time_limit(faults=self._read_faults),
            connection.turn(),
            connection.client_session() as session,
        ):
            yield ReadSession(connection.database, session, connection.read_groups)
        self._read_faults.succeeded()

    async def write(
        self, work: Callable[[AsyncDatabase[Document], AsyncClientSession], Awaitable[T]], since: float | None = None
    ) -> T:
        """Run ``work``, which writes, and return its result. If the caller is cancelled, ``work`` continues.

        Args:
            work: gets the database and the session for its commands.
            since: as in `time_limit`.

        Raises:
            Unavailable: on temporary faults and after `CALL_TIMEOUT_S`. The outcome is unknown then, as it is after a
                cancellation.
        """
        connection = self._connected()
        async with self.time_limit(since):
            result = await connection.run_in_session(work)
        self._write_faults.succeeded()
        return result

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``work``, which must not raise, in a task of its own. The database closes after it has ended."""
        connection = self._connected()  # first: after `Unavailable` a coroutine would never be awaited
        connection.start(work())

    async def probe(self) -> None:
        """Write to a document that no reader uses, as durably as an entry. Calls `invalidate` if the store is gone."""
        store = {**migrations.STORE, "epoch": self.epoch}

        async def update(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> bool:
            updated = await mongo[META].update_one(store, {"$currentDate": {"probed": True}}, session=session)
            return updated.matched_count == 1

        if not await self.write(update):
            self.invalidate()

    def invalidate(self) -> NoReturn:
        """Refuse all further calls with `Unavailable` until the database is opened anew: its epoch has changed.

        A dropped or replaced database lacks the unique indexes that decide between writers, and this process remembers
        heads of other logs.
        """
        self._connected().invalid = True
        log.error(INVALID.format(self.where))
        raise Unavailable

    def check_epoch(self, stores: Sequence[Document]) -> None:
        """Call `invalidate` unless ``stores``, the documents of `queries.epoch`, are of the store that was opened."""
        if [store.get("epoch") for store in stores] != [self.epoch]:
            self.invalidate()

    def _connected(self) -> "_Connection":
        if self._connection is None or self._connection.invalid:
            raise Unavailable
        return self._connection

    async def _connect(self) -> "_Connection":
        with opening_as_store_error(self.where):
            client = client_for(self._url, self._options)
            try:
                database = self._database_of(client)
                with pymongo.timeout(OPEN_TIMEOUT_S):
                    version = await migrations.check(database, self.where)
                migrations.check_is_safe(version, self.where)
                await migrations.apply(database, version)
                with pymongo.timeout(OPEN_TIMEOUT_S):
                    return _Connection(client, database, await migrations.epoch(database))
            except BaseException:
                await client.close()
                raise

    def _database_of(self, client: AsyncMongoClient[Document]) -> AsyncDatabase[Document]:
        return client.get_default_database(
            DEFAULT_NAME,
            codec_options=CodecOptions(tz_aware=True),
            read_preference=ReadPreference.PRIMARY,
            write_concern=WRITE_CONCERN,
            read_concern=READ_CONCERN,
        )


class _Connection:
    """The state of a `MongoDatabase` between opening and closing."""

    def __init__(self, client: AsyncMongoClient[Document], database: AsyncDatabase[Document], epoch: str) -> None:
        self._client = client
        self.database = database
        self.epoch = epoch
        self.invalid = False
        self._read_sessions = asyncio.Semaphore(READ_SESSIONS_MAX)
        self.read_groups = ReadGroups(database, self.client_session, self.start)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._last_session: AsyncClientSession | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn of a read session. Raises `Unavailable` after `TURN_S`."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._read_sessions.acquire()
        except TimeoutError:
            raise Unavailable from TimeoutError(f"{READ_SESSIONS_MAX} reads took longer than {TURN_S} s")
        try:
            yield
        finally:
            self._read_sessions.release()

    @asynccontextmanager
    async def client_session(self) -> AsyncGenerator[AsyncClientSession]:
        """Open a session that sees all earlier reads and writes of this connection, even on another primary."""
        with temporary_as_unavailable(), pymongo.timeout(DRIVER_TIMEOUT_S):
            async with self._client.start_session(causal_consistency=True) as session:
                last = self._last_session
                if last and last.operation_time and last.cluster_time:
                    session.advance_cluster_time(last.cluster_time)
                    session.advance_operation_time(last.operation_time)
                try:
                    yield session
                finally:
                    self._note_time(session)

    def _note_time(self, session: AsyncClientSession) -> None:
        """Keep the session that has seen the latest time: sessions end in any order."""
        seen, last = session.operation_time, self._last_session
        if seen and not (last and last.operation_time and last.operation_time > seen):
            self._last_session = session

    async def run_in_session(self, work: Callable[[AsyncDatabase[Document], AsyncClientSession], Awaitable[T]]) -> T:
        """Run ``work`` with a session of its own. If the caller is cancelled, ``work`` continues."""

        async def run() -> T:
            async with self.client_session() as session:
                return await work(self.database, session)

        return await asyncio.shield(self.start(run()))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # The driver keeps the caller's remaining time in the context: the work may go on for other callers.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: a cancelled caller never asks for it

    async def close(self) -> None:
        """Wait for all tasks, which end in time, and close the client."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._client.close()
