"""The aiohttp application: the API, Socket.IO, the page, and what a supervisor asks."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from chatcore.chat import Chat
from chatcore_aiohttp import AccountRoutes, CommandRoutes, Endpoints, Guard, Origins
from chatcore_aiohttp.codec import encode
from chatcore_socketio import SocketioServer

from .bootstrap import Parts
from .page import Page

SEND_S = 30
"""How long a client may take to read an answer, seconds; 512 KiB are the most that one has."""


def build(parts: Parts, origins: Origins) -> web.Application:
    """Everything that a server serves; ``parts.chat`` is entered for longer than the application runs."""
    chat, accounts = parts.chat, parts.accounts
    commands = CommandRoutes(chat=chat, authenticate=accounts.authenticate, canonical=accounts.canonical)
    app = web.Application(middlewares=[_sent_in_time])
    Guard(origins).add_to(app)
    Endpoints([*AccountRoutes(accounts).endpoints(), *commands.endpoints()]).add_to(app)
    SocketioServer(chat, accounts.authenticate, origins=origins).add_to(app)
    app.router.add_get("/", Page().answer)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", _ready(chat))
    app.on_response_prepare.append(_sign)
    return app


async def _alive(_: web.Request) -> web.Response:
    return _status("alive")


def _ready(chat: Chat) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        """200, or 503 with the store's `Unavailable`: it is asked, and has 2 s to answer."""
        await chat.store.changes(None, 1)
        return _status("ready")

    return answer


def _status(word: str) -> web.Response:
    return web.Response(body=encode({"status": word}), content_type="application/json")


@web.middleware
async def _sent_in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Cut a client that does not read its answer, which would stay in memory as long as it likes."""
    response = await handler(request)
    if isinstance(response, web.Response):
        try:
            async with asyncio.timeout(SEND_S):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # the client went away; aiohttp finds that out by itself
    return response


async def _sign(_: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "chatcore"
