"""The programs that serve the HTTP API: the bundled server, and a host's aiohttp and ASGI applications."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeAlias, TypeVar

import pytest
import uvicorn
from aiohttp import web
from attrs import frozen

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator
from chatcore_aiohttp import add_endpoints, add_guard, add_socketio, mount
from chatcore_asgi import ChatApp
from chatcore_http import AccountRoutes, CommandRoutes, Endpoint, Endpoints, Guard, Origins, SocketRoutes
from chatcore_socketio import SocketioServer
from chatcore_websocket import Websockets

from .http_frameworks import PREFIX, MakeApp, django_app, fastapi_app, litestar_app, nested_app, starlette_app


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
    with socket.create_server(("127.0.0.1", 0)) as listening:
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
    add_endpoints(app, Endpoints([*endpoints_of(node.chat, node.accounts, node.authenticate), *node.endpoints]))
    add_socketio(app, SocketioServer(Websockets(node.chat, node.authenticate)))
    async with node.chat, aiohttp_listening(app) as url:
        yield url


@asynccontextmanager
async def mounted(node: Parts) -> AsyncGenerator[str]:
    app = web.Application()
    mount(app, PREFIX, node.chat, node.authenticate, origins=node.origins)
    async with aiohttp_listening(app) as url:
        yield url + PREFIX


@asynccontextmanager
async def asgi(node: Parts) -> AsyncGenerator[str]:
    app = ChatApp(node.chat, node.authenticate, prefix=PREFIX, origins=node.origins)
    async with uvicorn_listening(app, ws="wsproto") as url:
        yield url + PREFIX


def framework(make: MakeApp, **options: Any) -> Host:
    """Return the host that mounts a ChatApp in a framework's application, under uvicorn with ``options``."""

    @asynccontextmanager
    async def host(node: Parts) -> AsyncGenerator[str]:
        app = make(node.chat, ChatApp(node.chat, node.authenticate, origins=node.origins))
        async with uvicorn_listening(app, **options) as url:
            yield url + PREFIX

    return host


@asynccontextmanager
async def around_django(node: Parts) -> AsyncGenerator[str]:
    app = ChatApp(node.chat, node.authenticate, prefix=PREFIX, other=django_app(), origins=node.origins)
    async with uvicorn_listening(app, http="h11") as url:
        yield url + PREFIX


HOSTS: dict[str, Host] = {"server": server, "mount": mounted, "asgi": asgi}
FRAMEWORKS: dict[str, Host] = {
    "starlette": framework(starlette_app, http="httptools"),
    "nested": framework(nested_app, http="h11", root_path="/behind/a proxy"),
    "fastapi": framework(fastapi_app, http="httptools", root_path="/behind"),
    "litestar": framework(litestar_app, http="h11"),
    "litestar-root-path": framework(litestar_app, root_path="/behind"),
    "django": around_django,
}


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


EVERYWHERE = served_by_each(*HOSTS) if "CHATCORE_TEST_ALL_HOSTS" in os.environ else served_by_each("server", "mount")
IN_FRAMEWORKS = served_by_each(*FRAMEWORKS)
IN_AIOHTTP = served_by_each("server", "mount")

_present = ["server"]


def present_host() -> Host:
    """Return the host that serves the nodes of the present test."""
    return {**HOSTS, **FRAMEWORKS}[_present[-1]]


@contextmanager
def served_by(host: str) -> Generator[None]:
    """Let a host serve all nodes in this block."""
    _present.append(host)
    try:
        yield
    finally:
        _present.pop()
