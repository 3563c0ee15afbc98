"""The open websockets of a server, whatever protocol they speak, and their limits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from chatcore.chat import Chat
from chatcore.domain.client_networks import client_network
from chatcore.errors import ChatError, Invalid, RateLimited
from chatcore.log_throttle import LogThrottle
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.pushes import Bye
from chatcore.ports.rate_limiter import RateLimiter, Unlimited
from chatcore_http.cookies import parse_cookies
from chatcore_http.credentials import credentials
from chatcore_http.guard import SECURITY_HEADERS
from chatcore_http.origins import Origins, is_preflight, preflight
from chatcore_http.problems import problem
from chatcore_http.requests import INCOMPLETE, Disconnected, Request
from chatcore_http.responses import Response

from .connection_limits import ConnectionCounter, ConnectionLimits
from .deadlines import DeadlineTicker, Timing
from .handler import Handshake
from .session import WebsocketSession
from .upgrade import Upgrade
from .writer import Writer

CLOSING = "The server is about to end."
NOT_A_WEBSOCKET = "Not a websocket request, or a proxy removed its Upgrade header."

log: Final = logging.getLogger(__name__)

OpenSession: TypeAlias = Callable[[Writer, Handshake], WebsocketSession]


class Websockets:
    """Opens websockets for the clients of a `Chat`, and ends them all on `close`.

    Args:
        chat: the Chat. The caller enters it, and leaves it only after `close`.
        authenticate: called at each request to connect, with the token in it (never from the URL).
        origins: the web pages that may connect, in addition to those of the same host.
        limits: how many connections clients may hold open. The address of a client is ``request.remote``.
        limiter: limits how often each address opens a connection, under the name ``connect``.
        timing: the durations of sessions.

    Attributes:
        is_closing: whether no more websockets are opened.
        ticker: checks the deadlines of sessions.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        *,
        origins: Origins | None = None,
        limits: ConnectionLimits | None = None,
        limiter: RateLimiter | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.chat = chat
        self.authenticate = authenticate
        self.origins: Origins = origins or Origins()
        self.limits: ConnectionLimits = limits or ConnectionLimits()
        self.timing: Timing = timing or Timing()
        self.is_closing: bool = False
        self.ticker: DeadlineTicker = DeadlineTicker(self.timing.check_interval)
        self._limiter = limiter or Unlimited()
        self._limit_log_throttle = LogThrottle()
        self._counter = ConnectionCounter(per_address=self.limits.websockets_per_address)
        self._sessions: set[WebsocketSession] = set()
        self._all_ended = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of open websockets."""
        return len(self._sessions)

    async def close(self) -> None:
        """End all sessions with ``bye`` and code ``shutdown``, and open no more.

        Returns when all websockets have ended, or after three times `Timing.close_timeout`.
        """
        self.is_closing = True
        for session in tuple(self._sessions):
            session.close(Bye(code="shutdown"))
        try:
            async with asyncio.timeout(3 * self.timing.close_timeout):
                while self._sessions:
                    self._all_ended.clear()
                    await self._all_ended.wait()
        except TimeoutError:
            log.warning("closing timed out: websockets=%d", len(self._sessions))

    async def answer(self, request: Request, handler: Callable[[], Awaitable[Response | None]]) -> Response | None:
        """Answer a request from an admitted origin, and the errors of its handler.

        Returns:
            The whole response, or None after a websocket has ended.
        """
        if refusal := self.origins.refusal(request):
            return problem(refusal, headers=SECURITY_HEADERS)
        try:
            response = preflight() if is_preflight(request) else await handler()
        except ChatError as error:
            response = problem(error)
        except Disconnected:
            response = problem(Invalid(INCOMPLETE))
        return response and response.with_headers({**SECURITY_HEADERS, **self.origins.headers(request)})

    async def serve(self, request: Request, upgrade: Upgrade, open_session: OpenSession) -> None:
        """Open a websocket and serve it to its end.

        Args:
            request: the client's request.
            upgrade: the same request, as the web server makes a websocket of it.
            open_session: makes the session of the websocket.

        Raises:
            RateLimited: the client's address has too many websockets.
        """
        address = request.remote
        self._counter.acquire(address)
        try:
            writer = await upgrade.accept(self.timing.close_timeout)
            if writer is not None:
                handshake = Handshake(
                    credentials=partial(credentials, request),
                    has_origin="Origin" in request.headers,
                    cookie_fault=parse_cookies(request).fault,
                )
                await self._run(open_session(writer, handshake), upgrade)
        finally:
            self._counter.release(address)

    async def _run(self, session: WebsocketSession, upgrade: Upgrade) -> None:
        self._sessions.add(session)
        self.ticker.add(session)
        if self.is_closing:
            session.close(Bye(code="shutdown"))
        try:
            await upgrade.run(session)
        finally:
            self._sessions.discard(session)
            self.ticker.remove(session)
            if not self._sessions:
                self._all_ended.set()

    def counting_authenticator(self, request: Request) -> Authenticator:
        """Return the authenticator for a websocket, which counts the connection when it is first asked."""
        return _CountingAuthenticator(self, request)

    def count_connection(self, request: Request) -> None:
        """Count a connection of the client's address. Raises `RateLimited`."""
        network = client_network(request.remote)
        if wait_ms := self._limiter.take("connect", network):
            if self._limit_log_throttle.admits(network):
                log.warning("connection limit reached: limit=connect address=%s", network)
            raise RateLimited("Too many connections; try again later.", retry_after_ms=wait_ms)


class _CountingAuthenticator:
    """The authenticator for one websocket, which counts the connection when it is first asked."""

    __slots__ = ("_request", "_websockets")

    def __init__(self, websockets: Websockets, request: Request) -> None:
        self._websockets = websockets
        self._request: Request | None = request

    def __call__(self, credentials: Credentials) -> Awaitable[Principal | None]:
        request, self._request = self._request, None
        if request is not None:
            self._websockets.count_connection(request)
        return self._websockets.authenticate(credentials)
