"""The programs that serve the HTTP API: the bundled server, and a host's aiohttp and ASGI applications."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import pytest
import uvicorn
from aiohttp import web

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore_aiohttp import add_endpoints, add_guard, add_socketio, mount
from chatcore_asgi import ChatApp
from chatcore_http import AccountRoutes, CommandRoutes, Endpoint, Endpoints, Guard, Origins, SocketRoutes
from chatcore_socketio import SocketioServer
from chatcore_websocket import Websockets

PREFIX = "/the/chat"

Host: TypeAlias = Callable[[Chat, Accounts, Origins, Sequence[Endpoint]], AbstractAsyncContextManager[str]]
"""Serves a Chat, with further endpoints, and returns the URL of the API's place."""


@asynccontextmanager
async def aiohttp_listening(app: web.Application) -> AsyncGenerator[str]:
    """Serve an aiohttp application on a free port."""
    runner = web.AppRunner(app, lingering_time=0.3)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def uvicorn_listening(app: Any, **options: Any) -> AsyncGenerator[str]:
    """Serve an ASGI application on a free port. The connections of clients wait until it has started."""
    options = {"lifespan": "on", "ws": "none", "log_config": None, "access_log": False, **options}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving


def endpoints_of(chat: Chat, accounts: Accounts) -> Sequence[Endpoint]:
    """Return the endpoints that the server has below the API's prefix."""
    commands = CommandRoutes(chat=chat, authenticate=accounts.authenticate)
    sockets = SocketRoutes(chat=chat, authenticate=accounts.authenticate)
    return [*AccountRoutes(accounts).endpoints(), *sockets.endpoints(), *commands.endpoints()]


@asynccontextmanager
async def server(chat: Chat, accounts: Accounts, origins: Origins, more: Sequence[Endpoint]) -> AsyncGenerator[str]:
    app = web.Application()
    add_guard(app, Guard(origins))
    add_endpoints(app, Endpoints([*endpoints_of(chat, accounts), *more]))
    add_socketio(app, SocketioServer(Websockets(chat, accounts.authenticate)))
    async with chat, aiohttp_listening(app) as url:
        yield url


@asynccontextmanager
async def mounted(chat: Chat, accounts: Accounts, origins: Origins, _: Sequence[Endpoint]) -> AsyncGenerator[str]:
    app = web.Application()
    mount(app, PREFIX, chat, accounts.authenticate, origins=origins)
    async with aiohttp_listening(app) as url:
        yield url + PREFIX


@asynccontextmanager
async def asgi(chat: Chat, accounts: Accounts, origins: Origins, _: Sequence[Endpoint]) -> AsyncGenerator[str]:
    app = ChatApp(chat, accounts.authenticate, prefix=PREFIX, origins=origins)
    async with uvicorn_listening(app) as url:
        yield url + PREFIX


HOSTS: dict[str, Host] = {"server": server, "mount": mounted, "asgi": asgi}


def served_by_each(*hosts: str) -> Sequence[pytest.MarkDecorator]:
    """Return the marks of a module whose nodes are served by each of some hosts."""
    return (
        pytest.mark.usefixtures("http_host"),
        pytest.mark.parametrize("http_host", hosts, indirect=True, scope="module"),
    )


EVERYWHERE = served_by_each(*HOSTS)
IN_AIOHTTP = served_by_each("server", "mount")

_present = ["server"]


def present_host() -> Host:
    """Return the host that serves the nodes of the present test."""
    return HOSTS[_present[-1]]


@contextmanager
def served_by(host: str) -> Generator[None]:
    """Let a host serve all nodes in this block."""
    _present.append(host)
    try:
        yield
    finally:
        _present.pop()
