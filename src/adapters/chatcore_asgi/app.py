"""chatcore as an ASGI application, mounted in a host's or around it."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from chatcore.chat import Chat
from chatcore.errors import NotFound, Unavailable
from chatcore.log_throttle import LogThrottle
from chatcore.ports.authenticator import Authenticator
from chatcore_documents import document_endpoints
from chatcore_http import HttpApi, Origins, Response, problem
from chatcore_http.guard import SECURITY_HEADERS
from chatcore_http.prefixes import check_prefix
from chatcore_socketio import SocketioServer
from chatcore_socketio.server import PATH as SOCKETIO
from chatcore_websocket import ConnectionLimits, Websockets, WebsocketServer
from chatcore_websocket.plain import PATH as WEBSOCKET

from .http import client_address, pure_request, send_response
from .lifespan import running, serve_lifespan
from .paths import path_below
from .protocol import ASGIApp, Receive, Scope, Send
from .websocket import AsgiUpgrade, refuse

NOT_ENTERED = (
    "clients get unavailable: the Chat was not entered. Put `async with chat: yield` into the lifespan of the "
    "application, or make ChatApp the outer application of a server that sends lifespan events"
)

log: Final = logging.getLogger(__name__)


class ChatApp:
    """Serves a Chat to clients of an ASGI server: the HTTP API, Socket.IO and a plain WebSocket, without accounts.

    Mount it in an application that enters the Chat in its lifespan. Or let it be the outer application, with
    ``prefix`` and ``other``: then it enters the Chat, unless the other application does, and passes on everything
    that is not below the prefix.

    Args:
        chat: the Chat.
        authenticate: tells which user the credentials of a request belong to.
        prefix: a path such as ``/chat``. The API is at ``/chat/api/v1``, Socket.IO at ``/chat/socket.io/``, the plain
            WebSocket at ``/chat/ws``.
        other: the application that serves everything else.
        origins: the web pages that may use it, in addition to those of the same host.
        limits: how many connections clients may hold open.
        remote: returns the address of a client. Behind a proxy the host knows whose word to take for it.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the prefix is not a plain path, there is none beside ``other``, or ``other`` has the same one.

    Attributes:
        prefixes: its prefix, and those of other ChatApps inside of it.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        *,
        prefix: str = "",
        other: ASGIApp | None = None,
        origins: Origins | None = None,
        limits: ConnectionLimits | None = None,
        remote: Callable[[Scope], str | None] = client_address,
    ) -> None:
        if prefix:
            check_prefix(prefix)
        elif other is not None:
            raise ValueError("other= needs a prefix=, such as prefix='/chat': without one, nothing is left for it")
        inner: Sequence[str] = other.prefixes if isinstance(other, ChatApp) else ()
        if prefix in inner:
            raise ValueError(f"{prefix} is mounted already: choose another prefix, or mount one Chat there")
        self.prefixes: Sequence[str] = (prefix, *inner)
        self._prefix = prefix
        self._chat = chat
        self._other = other
        self._api = HttpApi(chat, authenticate, origins=origins, documents=document_endpoints)
        websockets = Websockets(chat, authenticate, origins=origins, limits=limits)
        self._socketio = SocketioServer(websockets)
        self._sockets: Mapping[str, SocketioServer | WebsocketServer] = {
            SOCKETIO: self._socketio,
            WEBSOCKET: WebsocketServer(websockets),
        }
        self._remote = remote
        self._throttle = LogThrottle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, or the lifespan of the server."""
        if scope["type"] == "lifespan":
            others = [] if self._other is None else [running(self._other, scope)]
            await serve_lifespan(receive, send, [*others, self._entered()])
            return
        path = path_below(scope, self._prefix)
        if path is None and self._other is not None:
            await self._other(scope, receive, send)
        elif scope["type"] == "http":
            if response := await self._response(scope, receive, path, None):
                await send_response(send, scope, response)
        elif scope["type"] == "websocket":
            await receive()
            upgrade = AsgiUpgrade(scope, receive, send)
            if response := await self._response(scope, receive, path, upgrade):
                await refuse(scope, send, response)

    @asynccontextmanager
    async def _entered(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as entered:
            if not self._chat.is_entered:
                await entered.enter_async_context(self._chat)
            entered.push_async_callback(self._socketio.close)
            yield

    async def _response(
        self, scope: Scope, receive: Receive, path: str | None, upgrade: AsgiUpgrade | None
    ) -> Response | None:
        """Return the response to a request; None after a websocket has ended."""
        if path is None:
            return problem(NotFound(), headers=SECURITY_HEADERS)
        if not self._chat.is_entered:
            if self._throttle.admits(None):
                log.error("%s", NOT_ENTERED)
            return problem(Unavailable("The chat was not started; try again later."), headers=SECURITY_HEADERS)
        request = pure_request(scope, receive, path=path, remote=self._remote(scope))
        sockets = self._sockets.get(path)
        if sockets is not None:
            return await sockets.answer(request, upgrade)
        if upgrade is not None:
            return problem(NotFound(), headers=SECURITY_HEADERS)
        return await self._api.answer(request)
