"""The aiohttp application: the API, Socket.IO, the pages, and the health checks."""

import asyncio
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from chatcore.chat import Chat
from chatcore_aiohttp import (
    add_endpoints,
    add_guard,
    add_pages,
    add_proxies,
    add_socketio,
    add_websocket,
    aiohttp_response,
)
from chatcore_documents import document_endpoints
from chatcore_http import AccountRoutes, CommandRoutes, Endpoints, Guard, Hosts, Origins, Proxies, SocketRoutes
from chatcore_http.responses import json_response
from chatcore_socketio import SocketioServer
from chatcore_web import MISSING, is_complete, page_endpoints
from chatcore_websocket import ConnectionLimits, Websockets, WebsocketServer

from .bootstrap import Components
from .page import StartPage

HEALTHZ, READYZ = "/healthz", "/readyz"
START = "/start"
PAGES: Mapping[str, str] = {
    "/": "The chat page",
    START: "A page with first steps in a terminal",
    HEALTHZ: "Answers when the server is alive",
    READYZ: "Answers whether the store takes writes, and has space for them",
}
NO_PROXIES = Proxies()


def build(
    components: Components,
    origins: Origins,
    hosts: Hosts,
    *,
    sending_s: float,
    proxies: Proxies = NO_PROXIES,
    connection_limits: ConnectionLimits | None = None,
    is_sign_up_open: bool = True,
) -> web.Application:
    """Return the application of a server.

    Args:
        components: the chat and its accounts. The chat must be entered for as long as the application runs.
        origins: the web origins that may use the server besides its own.
        hosts: the hosts that the server answers to.
        sending_s: seconds in which a client must have read a response. A response has at most 512 KiB.
        proxies: the trusted reverse proxies.
        connection_limits: the limits of Socket.IO connections.
        is_sign_up_open: whether clients may create accounts.
    """
    chat, accounts = components.chat, components.accounts
    commands = CommandRoutes(chat=chat, authenticate=accounts.authenticate)
    app = web.Application()
    add_guard(app, Guard(origins, hosts, any_host=(HEALTHZ, READYZ)))
    app.middlewares.insert(0, _sent_within(sending_s))
    sockets = SocketRoutes(chat=chat, authenticate=accounts.authenticate)
    account_routes = AccountRoutes(accounts, is_sign_up_open)
    endpoints = [*account_routes.endpoints(), *sockets.endpoints(), *commands.endpoints()]
    add_endpoints(app, Endpoints(endpoints))
    add_pages(app, document_endpoints(endpoints, PAGES))
    websockets = Websockets(
        chat, accounts.authenticate_socket, origins=origins, limits=connection_limits, limiter=components.limiter
    )
    add_socketio(app, SocketioServer(websockets))
    add_websocket(app, WebsocketServer(websockets))
    if is_complete():
        add_pages(app, page_endpoints())
    else:
        app.router.add_get("/", StartPage(is_sign_up_open, MISSING).answer)
    app.router.add_get(START, StartPage(is_sign_up_open).answer)
    app.router.add_get(HEALTHZ, _alive)
    app.router.add_get(READYZ, _ready(chat))
    app.on_response_prepare.append(_add_server_header)
    add_proxies(app, proxies)
    return app


async def _alive(_: web.Request) -> web.Response:
    return _status("alive")


def _ready(chat: Chat) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        """Write to the store, which has 2 s to answer. If it fails, its `Unavailable` makes the status 503."""
        await chat.store.probe()
        return _status("ready")

    return answer


def _status(status: str) -> web.Response:
    return aiohttp_response(json_response({"status": status}))


def _sent_within(seconds: float) -> Middleware:
    @web.middleware
    async def send(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Cut a client that does not read its response in time, because the response stays in memory until then."""
        response = await handler(request)
        if not isinstance(response, web.Response):
            return response
        try:
            async with asyncio.timeout(seconds):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # the client has disconnected; aiohttp ends the connection
        return response

    return send


async def _add_server_header(_: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "chatcore"
