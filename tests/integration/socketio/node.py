"""A node that serves Socket.IO in the process of the test, on a memory store. A token is the name of its user."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from aiohttp import web
from aiohttp.typedefs import Middleware
from attrs import define

from chatcore import Chat, Credentials, Entry, Principal, Unavailable
from chatcore.chat import utc_now
from chatcore.ports.entry_log import AppendResult
from chatcore.ports.room_views import RoomMembership, RoomPage
from chatcore_aiohttp import add_socketio
from chatcore_aiohttp.transport_writer import TransportWriter
from chatcore_http import Origins
from chatcore_memory import MemoryRegistry, MemoryStore
from chatcore_socketio import SocketioServer
from chatcore_websocket import ConnectionLimits, Timing, Websockets
from chatcore_websocket.session import WebsocketSession

from ..clients import TIMEOUT_S, RawClients, raw_clients

QUICK = Timing(ping_interval=0.2, ping_timeout=0.4, connect_timeout=0.5, close_timeout=0.3)
"""Deadlines short enough for a test."""


async def authenticate(credentials: Credentials) -> Principal | None:
    """``bob`` is bob, ``bob@phone`` is bob on his phone. Some tokens stand for a failure."""
    match credentials.token:
        case None | "" | "nobody":
            return None
        case "down":
            raise Unavailable
        case "broken":
            raise ZeroDivisionError
        case "hanging":
            await asyncio.Event().wait()
            return None
        case token:
            user, _, device = token.partition("@")
            expires_at = utc_now() + timedelta(seconds=0.5) if token == "expiring" else None
            return Principal(user, device or None, expires_at, session=f"of {token}")


class FallibleStore(MemoryStore):
    """A memory store that fails or hangs on request."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        await self._suffer()
        return await super().append(entries)

    async def memberships(self, user: str, room: str | None = None) -> Sequence[RoomMembership]:
        await self._suffer()
        return await super().memberships(user, room)

    async def page(self, user: str, after: str | None, limit: int) -> RoomPage:
        await self._suffer()
        return await super().page(user, after, limit)

    async def _suffer(self) -> None:
        await self.gate.wait()
        if self.fault:
            raise self.fault


@define
class SocketioNode:
    store: FallibleStore
    registry: MemoryRegistry
    chat: Chat
    server: SocketioServer
    url: str
    """The URL of the Socket.IO path."""
    port: int
    attempts: list[Credentials]
    """The credentials of every CONNECT."""
    clients: RawClients
    runner: web.AppRunner

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/socket.io/")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that no event announces."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    @contextmanager
    def failing(self, fault: Exception) -> Generator[None]:
        self.store.fault = fault
        try:
            yield
        finally:
            self.store.fault = None

    @contextmanager
    def hanging(self) -> Generator[None]:
        """Let the store answer nothing until the block ends."""
        self.store.gate.clear()
        try:
            yield
        finally:
            self.store.gate.set()

    async def nothing_left(self) -> None:
        """Wait until no table of this node has a trace of a client."""
        try:
            await self.until(lambda: not any(self._traces().values()))
        except TimeoutError:
            raise AssertionError(self._traces()) from None

    def _traces(self) -> Mapping[str, object]:
        server, hub = self.server, self.chat._hub
        return {
            "websockets": len(server.websockets),
            "polling_sessions": server.polling_sessions,
            "addresses": server.websockets._counter._counts or server._polling_sessions._counter._counts,
            "ticker": server.websockets.ticker._checked or server.websockets.ticker._task,
            "sockets": self.chat._sockets.here,
            "users": hub._users,
            "rooms": hub._rooms,
            "leases": self.registry._leases,
        }


def transport_of(session: WebsocketSession) -> asyncio.Transport:
    """Return the transport of a session's websocket."""
    writer = session._writer
    assert isinstance(writer, TransportWriter)
    return writer._transport


@asynccontextmanager
async def socketio_node(
    *,
    timing: Timing | None = None,
    limits: ConnectionLimits | None = None,
    origins: str | None = None,
    middlewares: Sequence[Middleware] = (),
    on_prepare: Callable[[web.Request, web.StreamResponse], Awaitable[None]] | None = None,
) -> AsyncGenerator[SocketioNode]:
    """A node on a free port. ``on_prepare`` is awaited before the start of each answer is sent."""
    store, registry = FallibleStore(), MemoryRegistry()
    attempts: list[Credentials] = []

    async def noticed(credentials: Credentials) -> Principal | None:
        attempts.append(credentials)
        return await authenticate(credentials)

    async with Chat(store, registry=registry) as chat:
        server = SocketioServer(Websockets(chat, noticed, origins=Origins.parse(origins), limits=limits, timing=timing))
        app = web.Application(middlewares=middlewares)
        add_socketio(app, server)
        if on_prepare is not None:
            app.on_response_prepare.append(on_prepare)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{site.port}/socket.io/"
        try:
            async with raw_clients(url) as clients:
                yield SocketioNode(store, registry, chat, server, url, site.port, attempts, clients, runner)
        finally:
            await runner.cleanup()
