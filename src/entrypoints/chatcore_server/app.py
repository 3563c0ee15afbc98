"""The aiohttp application: the API, Socket.IO, the page, and what a supervisor asks."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from chatcore.chat import Chat
from chatcore_aiohttp import AccountRoutes, CommandRoutes, Endpoints, Guard, Hosts, Origins, Proxies, SocketRoutes
from chatcore_aiohttp.codec import json_response
from chatcore_socketio import ConnectionLimits, SocketioServer

from .bootstrap import Parts
from .page import Page

HEALTHZ, READYZ = "/healthz", "/readyz"
NO_PROXIES = Proxies()


def build(
    parts: Parts,
    origins: Origins,
    hosts: Hosts,
    *,
    sending: float,
    proxies: Proxies = NO_PROXIES,
    connection_limits: ConnectionLimits | None = None,
    is_sign_up_open: bool = True,
) -> web.Application:
    """Everything that a server serves; ``parts.chat`` is entered for longer than the application runs.

    A client has ``sending`` seconds to read an answer, which has 512 KiB at most.
    """
    chat, accounts = parts.chat, parts.accounts
    commands = CommandRoutes(chat=chat, authenticate=accounts.authenticate, canonical=accounts.canonical)
    app = web.Application()
    Guard(origins, hosts, any_host=(HEALTHZ, READYZ)).add_to(app)
    app.middlewares.insert(0, _sent_within(sending))
    sockets = SocketRoutes(chat=chat, authenticate=accounts.authenticate)
    Endpoints(
        [*AccountRoutes(accounts, is_sign_up_open).endpoints(), *sockets.endpoints(), *commands.endpoints()]
    ).add_to(app)
    SocketioServer(chat, accounts.admit, origins=origins, limits=connection_limits, limiter=parts.limiter).add_to(app)
    app.router.add_get("/", Page(is_sign_up_open).answer)
    app.router.add_get(HEALTHZ, _alive)
    app.router.add_get(READYZ, _ready(chat))
    app.on_response_prepare.append(_sign)
    proxies.add_to(app)
    return app


async def _alive(_: web.Request) -> web.Response:
    return _status("alive")


def _ready(chat: Chat) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        """200, or 503 with the store's `Unavailable`: it is written to, and has 2 s to answer."""
        await chat.store.probe()
        return _status("ready")

    return answer


def _status(word: str) -> web.Response:
    return json_response({"status": word})


def _sent_within(seconds: float) -> Middleware:
    @web.middleware
    async def send(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Cut a client that does not read its answer: it would stay in memory for as long as the client likes."""
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
            pass  # the client went away, which aiohttp finds out by itself
        return response

    return send


async def _sign(_: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "chatcore"
