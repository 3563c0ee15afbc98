"""The programs that serve the HTTP API: the bundled server, and a host's aiohttp and ASGI applications."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeAlias, TypeVar

import pytest
import uvicorn
from aiohttp import web
from attrs import frozen

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator
from chatcore_aiohttp import add_endpoints, add_guard, add_pages, add_socketio, add_websocket, mount
from chatcore_documents import document_endpoints
from chatcore_http import AccountRoutes, CommandRoutes, Endpoint, Endpoints, Guard, Origins, SocketRoutes
from chatcore_server.app import PAGES as SERVER_PAGES
from chatcore_socketio import SocketioServer
from chatcore_websocket import Websockets, WebsocketServer

from .http_frameworks import FRAMEWORKS, PREFIX, AsgiHost


@frozen
class Parts:
    """What a host serves.

    Attributes:
        endpoints: further endpoints, which only the bundled server has.
    """

    chat: Chat
    accounts: Accounts
    authenticate: Authenticator
    origins: Origins
    endpoints: Sequence[Endpoint]


F = TypeVar("F", bound=Callable[..., object])

Host: TypeAlias = Callable[[Parts], AbstractAsyncContextManager[str]]
"""Serves a Chat, and returns the URL of the place of its API."""


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
    # asyncio sets TCP_NODELAY on sockets that name TCP. Without it, each answer of two writes takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving


def endpoints_of(chat: Chat, accounts: Accounts, authenticate: Authenticator | None = None) -> Sequence[Endpoint]:
    """Return the endpoints that the server has below the API's prefix."""
    authenticate = authenticate or accounts.authenticate
    commands = CommandRoutes(chat=chat, authenticate=authenticate)
    sockets = SocketRoutes(chat=chat, authenticate=authenticate)
    return [*AccountRoutes(accounts).endpoints(), *sockets.endpoints(), *commands.endpoints()]


@asynccontextmanager
async def server(node: Parts) -> AsyncGenerator[str]:
    app = web.Application()
    add_guard(app, Guard(node.origins))
    endpoints = [*endpoints_of(node.chat, node.accounts, node.authenticate), *node.endpoints]
    add_endpoints(app, Endpoints(endpoints))
    add_pages(app, document_endpoints(endpoints, SERVER_PAGES))
    websockets = Websockets(node.chat, node.authenticate, origins=node.origins)
    add_socketio(app, SocketioServer(websockets))
    add_websocket(app, WebsocketServer(websockets))
    async with node.chat, aiohttp_listening(app) as url:
        yield url


@asynccontextmanager
async def mounted(node: Parts) -> AsyncGenerator[str]:
    app = web.Application()
    mount(app, PREFIX, node.chat, node.authenticate, origins=node.origins)
    async with aiohttp_listening(app) as url:
        yield url + PREFIX


def on_asgi(host: AsgiHost) -> Host:
    @asynccontextmanager
    async def serve(node: Parts) -> AsyncGenerator[str]:
        app = host.app(node.chat, node.authenticate, node.origins)
        async with uvicorn_listening(app, **host.options) as url:
            yield url + PREFIX

    return serve


HOSTS: Mapping[str, Host] = {
    "server": server,
    "mount": mounted,
    **{name: on_asgi(host) for name, host in FRAMEWORKS.items()},
}
ON_AIOHTTP = ("server", "mount")
ON_ASGI = ("fastapi", "litestar", "django")
"""The hosts on ASGI that have websockets too."""
ALL_HOSTS = "CHATCORE_TEST_ALL_HOSTS" in os.environ
WHOLE = (*ON_AIOHTTP, *ON_ASGI) if ALL_HOSTS else ON_AIOHTTP
"""The hosts on which the suites run whole. On the others they ask a sample."""
WITH_ALL_RIGHTS = (*ON_AIOHTTP, *ON_ASGI) if ALL_HOSTS else ("server",)
"""The hosts that are asked every cell of the tables of rights. The Chat decides on rights, and all hosts share it."""


def answers_itself(host: str, path: str) -> bool:
    """Return whether a host answers 404 in place of chatcore.

    A mount of Starlette does not match a line feed, except at the end of a path.
    """
    return host == "fastapi" and "%0A" in path.partition("?")[0].removesuffix("%0A")


def served_by_each(*hosts: str) -> Sequence[pytest.MarkDecorator]:
    """Return the marks of a module whose nodes are served by each of some hosts."""
    return (
        pytest.mark.usefixtures("http_host"),
        pytest.mark.parametrize("http_host", hosts, indirect=True, scope="module"),
    )


def marked(marks: Sequence[pytest.MarkDecorator]) -> Callable[[F], F]:
    """Return a decorator that gives several marks to one test."""

    def decorate(test: F) -> F:
        for mark in marks:
            test = mark(test)
        return test

    return decorate


EVERYWHERE = served_by_each(*WHOLE)
SAMPLED_ON_ASGI = served_by_each(*ON_AIOHTTP, *ON_ASGI)
"""For suites that ask a sample on the hosts that are not in `WHOLE`."""
IN_FRAMEWORKS = served_by_each(*FRAMEWORKS)
IN_AIOHTTP = served_by_each(*ON_AIOHTTP)

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
