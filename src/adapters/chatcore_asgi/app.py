"""chatcore as an ASGI application, mounted in a host's or around it."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from chatcore.chat import Chat
from chatcore.errors import NotFound, Unavailable
from chatcore.log_throttle import LogThrottle
from chatcore.ports.authenticator import Authenticator
from chatcore_http import HttpApi, Origins, problem
from chatcore_http.guard import SECURITY_HEADERS
from chatcore_http.prefixes import check_prefix

from .http import client_address, pure_request, send_response
from .lifespan import running, serve_lifespan
from .paths import path_below
from .protocol import ASGIApp, Receive, Scope, Send

NOT_ENTERED = (
    "clients get unavailable: the Chat was not entered. Put `async with chat: yield` into the lifespan of the "
    "application, or make ChatApp the outer application of a server that sends lifespan events"
)

log: Final = logging.getLogger(__name__)


class ChatApp:
    """Serves a Chat to clients of an ASGI server: the HTTP API, without accounts.

    Mount it in an application that enters the Chat in its lifespan. Or let it be the outer application, with
    ``prefix`` and ``other``: then it enters the Chat, unless the other application does, and passes on everything
    that is not below the prefix.

    Args:
        chat: the Chat.
        authenticate: tells which user the credentials of a request belong to.
        prefix: a path such as ``/chat``. The API is at ``/chat/api/v1``.
        other: the application that serves everything else.
        origins: the web pages that may use it, in addition to those of the same host.
        remote: returns the address of a client. Behind a proxy the host knows whose word to take for it.

    Raises:
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
        self._api = HttpApi(chat, authenticate, origins=origins)
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
            await self._answer(scope, receive, send, path)

    @asynccontextmanager
    async def _entered(self) -> AsyncGenerator[None]:
        if self._chat.is_entered:
            yield
            return
        async with self._chat:
            yield

    async def _answer(self, scope: Scope, receive: Receive, send: Send, path: str | None) -> None:
        request = pure_request(scope, receive, path=path or "", remote=self._remote(scope))
        if path is None:
            response = problem(NotFound(), headers=SECURITY_HEADERS)
        elif not self._chat.is_entered:
            if self._throttle.admits(None):
                log.error("%s", NOT_ENTERED)
            response = problem(Unavailable(), headers=SECURITY_HEADERS)
        else:
            response = await self._api.answer(request)
        await send_response(send, request, response)
