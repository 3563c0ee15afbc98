"""A node that serves Socket.IO in the test's own process, on a memory store; whoever shows a name has that name."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from attrs import define

from chatcore import Chat, Credentials, Principal, Unavailable
from chatcore_aiohttp.origins import Origins
from chatcore_memory import MemoryStore
from chatcore_socketio import Caps, SocketioServer, Timing

from .clients import RawClients, raw_clients

QUICK = Timing(ping_interval=0.2, ping_timeout=0.4, connect_within=0.5, close_within=0.3)
"""Deadlines that a test can wait for."""


async def authenticate(credentials: Credentials) -> Principal | None:
    """``bob`` is bob, ``bob@phone`` is bob on his phone; ``down`` can't be told now, ``broken`` fails."""
    match credentials.token:
        case None | "" | "nobody":
            return None
        case "down":
            raise Unavailable
        case "broken":
            raise ZeroDivisionError
        case token:
            user, _, device = token.partition("@")
            return Principal(user, device or None, session=f"session of {user}")


@define
class SocketioNode:
    store: MemoryStore
    chat: Chat
    server: SocketioServer
    url: str
    """Of the Socket.IO path."""
    clients: RawClients


@asynccontextmanager
async def socketio_node(
    *,
    timing: Timing | None = None,
    caps: Caps | None = None,
    origins: str | None = None,
    chat: Callable[[MemoryStore], Chat] = Chat,
) -> AsyncGenerator[SocketioNode]:
    """It listens on a port of its own."""
    store = MemoryStore()
    async with chat(store) as entered:
        server = SocketioServer(entered, authenticate, origins=Origins.parse(origins), caps=caps, timing=timing)
        app = web.Application()
        server.add_to(app)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{site.port}/socket.io/"
        try:
            async with raw_clients(url) as clients:
                yield SocketioNode(store, entered, server, url, clients)
        finally:
            await runner.cleanup()
