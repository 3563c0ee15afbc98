"""The database: who may open it, and how everything is written to it and read from it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import pymongo
from bson import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from chatcore.errors import StoreError, Unavailable
from chatcore.ports.fault_log import FaultLog

from . import migrations
from .addresses import client_of, hosts_of
from .documents import Document
from .explaining import Explained
from .faults import translated
from .reading import Reading

T = TypeVar("T")

log = logging.getLogger(__name__)

LIMIT_S = 1.4
"""What the driver may take for what belongs together; it looks at the clock now and then."""
GIVE_UP_S = 1.8
"""Nobody waits longer, whatever the server, the network, the pool or the driver does."""
OPEN_S = 5
"""What opening waits for a server."""
NAME = "chatcore"
"""The database, where the address names none."""

READERS = 32
"""Reads at once. Under more load than there is time for, these come to an end, and the others to `Unavailable`."""

LOST = (
    "The database at {} is not the one that was opened: it was dropped or replaced. Everything is refused from now on; "
    "restart every server that uses it."
)

NEEDS_ASYNCIO = (
    "MongoDB's driver runs on asyncio alone, and here another event loop runs (trio's?): run the program on asyncio."
)

READ_CONCERN = ReadConcern("majority")
WRITE_CONCERN = WriteConcern(w="majority", j=True)


class Database:
    """A MongoDB database, open while entered; on asyncio.

    ``url`` is a connection string; its path is the database's name. It may be entered by several, in different tasks
    of one loop: it opens with the first and closes with the last. ``options`` are `pymongo.AsyncMongoClient`'s.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self._entered = 0
        self._gate = asyncio.Lock()
        self._session: _Session | None = None
        self._write_faults = FaultLog(f"MongoDB at {self.where}", "written to")
        self._read_faults = FaultLog(f"MongoDB at {self.where}", "read")

    @property
    def where(self) -> str:
        """Its hosts, without what is secret in the address."""
        return hosts_of(self._url)

    async def __aenter__(self) -> Self:
        """Open the database, and bring it to this version. Raises `StoreError` when it can't be reached, is newer,
        or was lost and is not closed yet; RuntimeError where no asyncio event loop runs."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(NEEDS_ASYNCIO) from None
        async with self._gate:
            if self._session is None:
                self._session = await self._open()
            elif self._session.lost:
                raise StoreError(LOST.format(self.where))
            self._entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._gate:
            self._entered -= 1
            if self._entered == 0 and self._session is not None:
                session, self._session = self._session, None
                await asyncio.shield(session.close())

    @asynccontextmanager
    async def limited(self, since: float | None = None, faults: FaultLog | None = None) -> AsyncGenerator[None]:
        """Raises `Unavailable` when what is inside takes too long: all of it together, where these are nested.

        ``since``, on the event loop's clock, is when somebody began to wait for it, where that was earlier. A fault is
        noted in ``faults``, or as one of writing. Time in which the event loop is blocked counts, here and in the
        driver: calls under way fail when it is blocked for longer than `LIMIT_S`, also where the server has answered.
        """
        faults = faults or self._write_faults
        began = asyncio.get_running_loop().time() if since is None else since
        try:
            async with asyncio.timeout_at(began + GIVE_UP_S):
                yield
        except TimeoutError:
            fault = Unavailable()
            cause = TimeoutError(f"there was no answer within {GIVE_UP_S} s")
            fault.__cause__ = cause
            self._note(fault, faults)
            raise fault from cause
        except Unavailable as fault:
            self._note(fault, faults)
            raise

    def _note(self, fault: Unavailable, faults: FaultLog) -> None:
        """What was lost does not heal, and has been told."""
        if self._session is None or not self._session.lost:
            faults.note(fault)

    @property
    def epoch(self) -> str:
        return self._opened().epoch

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Reading]:
        """Reads that belong together. Raises `Unavailable` on temporary faults, and once they take too long."""
        session = self._opened()
        async with self.limited(faults=self._read_faults), session.readers, session.operation() as operation:
            yield Reading(session.database, operation, session.uncancelled)
        self._read_faults.succeeded()

    async def write(
        self, work: Callable[[AsyncDatabase[Document], AsyncClientSession], Awaitable[T]], since: float | None = None
    ) -> T:
        """Carry out ``work``, which writes, and return what it gives; ``since`` is as in `limited`.

        Raises `Unavailable` on temporary faults, and once it takes too long: the outcome is unknown then. So it is
        after a cancellation: who is cancelled leaves, ``work`` goes on.
        """
        session = self._opened()
        async with self.limited(since):
            result = await session.shielded(work)
        self._write_faults.succeeded()
        return result

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Carry out ``work``, which raises nothing, whoever waits for it; it ends before the database is closed."""
        session = self._opened()
        session.start(work())

    async def migrate(self, announce: Callable[[int, int, str], None], *, dry_run: bool = False) -> None:
        """Bring the database to this version without entering it; ``announce`` hears each step and how many there are.

        With ``dry_run`` nothing is changed. Raises `StoreError`.
        """
        with Explained(self.where):
            client = client_of(self._url, self._options)
            try:
                with pymongo.timeout(OPEN_S):
                    version = await migrations.check(self._database_of(client), self.where)
                await migrations.apply(self._database_of(client), version, announce, dry_run=dry_run)
            finally:
                await client.close()

    def lose(self) -> NoReturn:
        """Refuse everything until it is opened anew: what was read says that it is not the database that was opened.

        It would take what it is given without the indexes that decide, or against what its servers remember of it.
        """
        self._opened().lost = True
        log.error(LOST.format(self.where))
        raise Unavailable

    def _opened(self) -> "_Session":
        if self._session is None or self._session.lost:
            raise Unavailable
        return self._session

    async def _open(self) -> "_Session":
        with Explained(self.where):
            client = client_of(self._url, self._options)
            try:
                database = self._database_of(client)
                with pymongo.timeout(OPEN_S):
                    version = await migrations.check(database, self.where)
                migrations.check_is_safe(version, self.where)
                await migrations.apply(database, version)
                with pymongo.timeout(OPEN_S):
                    return _Session(client, database, await migrations.epoch(database))
            except BaseException:
                await client.close()
                raise

    def _database_of(self, client: AsyncMongoClient[Document]) -> AsyncDatabase[Document]:
        return client.get_default_database(
            NAME,
            codec_options=CodecOptions(tz_aware=True),
            read_preference=ReadPreference.PRIMARY,
            write_concern=WRITE_CONCERN,
            read_concern=READ_CONCERN,
        )


class _Session:
    """What there is between opening and closing."""

    def __init__(self, client: AsyncMongoClient[Document], database: AsyncDatabase[Document], epoch: str) -> None:
        self._client = client
        self.database = database
        self.epoch = epoch
        self.lost = False
        self.readers = asyncio.Semaphore(READERS)
        self._running: set[asyncio.Task[Any]] = set()
        self._last: AsyncClientSession | None = None

    @asynccontextmanager
    async def operation(self) -> AsyncGenerator[AsyncClientSession]:
        """A session that sees whatever was read or written here before, also when another server is primary by now."""
        with translated(), pymongo.timeout(LIMIT_S):
            async with self._client.start_session(causal_consistency=True) as session:
                self._continue(session)
                try:
                    yield session
                finally:
                    self._last = session

    def _continue(self, session: AsyncClientSession) -> None:
        if self._last and self._last.operation_time and self._last.cluster_time:
            session.advance_cluster_time(self._last.cluster_time)
            session.advance_operation_time(self._last.operation_time)

    async def shielded(self, work: Callable[[AsyncDatabase[Document], AsyncClientSession], Awaitable[T]]) -> T:
        async def run() -> T:
            async with self.operation() as session:
                return await work(self.database, session)

        return await asyncio.shield(self.start(run()))

    async def uncancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out a part of an operation. Whoever is cancelled leaves: the driver, if it is cancelled while there is
        no server, may keep a lock for ever, and the whole client with it."""
        return await asyncio.shield(self.start(work, copy_context()))

    def start(self, work: Coroutine[Any, Any, T], context: Context | None = None) -> asyncio.Task[T]:
        # The driver keeps in the context how much time its caller has left: who has no caller has one of their own.
        task = asyncio.get_running_loop().create_task(work, context=context or Context())
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it may have left

    async def close(self) -> None:
        """Let what was called come to its end, which it does in time."""
        while self._running:
            await asyncio.wait(self._running)
        await self._client.close()
