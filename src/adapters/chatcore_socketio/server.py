"""The request handler for ``/socket.io/``, and its open sessions."""

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from chatcore.chat import Chat
from chatcore.domain.client_networks import client_network
from chatcore.errors import ChatError, Invalid, RateLimited, TooLarge, Unavailable
from chatcore.ids import new_id
from chatcore.log_throttle import LogThrottle
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.pushes import Bye
from chatcore.ports.rate_limiter import RateLimiter, Unlimited
from chatcore_http.bodies import read_bytes
from chatcore_http.credentials import credentials
from chatcore_http.guard import SECURITY_HEADERS
from chatcore_http.origins import Origins, is_preflight, preflight
from chatcore_http.problems import problem
from chatcore_http.requests import INCOMPLETE, Disconnected, Request
from chatcore_http.responses import Response, text_response
from chatcore_websocket.connection_limits import ConnectionCounter, ConnectionLimits
from chatcore_websocket.deadlines import DeadlineTicker, Timing
from chatcore_websocket.handler import Handshake
from chatcore_websocket.incoming import WHOLE_MAX

from . import websocket_handshake
from .packets import CLOSE, open_packet
from .polling_handshake import CLOSING, NO_WEBSOCKET, PollingSession, PollingSessions
from .receiver import Receiver
from .session import SocketioSession
from .transport_writer import Flusher, TransportWriter

POSTED_MAX = 16 * 1024
"""Bytes of a POST, which carries CONNECT with a token."""
PATH = "/socket.io/"
METHODS = "GET, POST"

log = logging.getLogger(__name__)


class SocketioServer:
    """Serves a `Chat` to Socket.IO clients (Socket.IO protocol 5 over Engine.IO protocol 4).

    `handle` answers every method of ``/socket.io/``. Call `close` on shutdown, while connections are still open.

    Args:
        chat: the Chat. The caller enters it, and leaves it only after this server has been closed.
        authenticate: called at each CONNECT, with the token from ``auth`` (never from the URL).
        origins: the web pages that may connect, in addition to those of the same host.
        limits: how many connections clients may hold open. The address of a client is ``request.remote``.
        limiter: limits how often each address opens a connection, under the name ``connect``.
        timing: the durations of sessions.
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
        limits = limits or ConnectionLimits()
        self._chat = chat
        self._authenticate = authenticate
        self._origins = origins or Origins()
        self._limiter = limiter or Unlimited()
        self._limit_log_throttle = LogThrottle()
        self._timing = timing or Timing()
        self._websockets = ConnectionCounter(per_address=limits.websockets_per_address)
        self._ticker = DeadlineTicker(self._timing.check_interval)
        self._polling_sessions = PollingSessions(
            ConnectionCounter(total=limits.polling_sessions, per_address=limits.polling_sessions_per_address),
            self._ticker,
            timeout=self._timing.connect_timeout,
        )
        self._sessions: set[SocketioSession] = set()
        self._flusher = Flusher()
        self._version_log_throttle = LogThrottle()
        self._is_closing = False
        self._all_ended = asyncio.Event()

    @property
    def sessions(self) -> int:
        """Number of open websockets."""
        return len(self._sessions)

    @property
    def polling_sessions(self) -> int:
        """Number of polling sessions that have not been upgraded."""
        return len(self._polling_sessions)

    async def close(self) -> None:
        """End all sessions with ``bye`` and code ``shutdown``, and open no more.

        Returns when all websockets have ended, or after three times `Timing.close_timeout`.
        """
        self._is_closing = True
        self._polling_sessions.close()
        for session in tuple(self._sessions):
            session.close(Bye(code="shutdown"))
        try:
            async with asyncio.timeout(3 * self._timing.close_timeout):
                while self._sessions:
                    self._all_ended.clear()
                    await self._all_ended.wait()
        except TimeoutError:
            log.warning("closing timed out: websockets=%d", len(self._sessions))

    async def handle(self, request: Request, upgradable: web.Request) -> Response | web.StreamResponse:
        """Answer a request for ``/socket.io/``.

        Args:
            request: the request.
            upgradable: the same request, as aiohttp makes a websocket of it.

        Returns:
            A response to send, or that of a websocket that has ended.
        """
        if refusal := self._origins.refusal(request):
            return problem(refusal, headers=SECURITY_HEADERS)
        try:
            response = await self._answer(request, upgradable)
        except ChatError as error:
            response = problem(error)
        except Disconnected:
            response = problem(Invalid(INCOMPLETE))
        if isinstance(response, Response):
            response = response.with_headers({**SECURITY_HEADERS, **self._origins.headers(request)})
        return response

    async def _answer(self, request: Request, upgradable: web.Request) -> Response | web.StreamResponse:
        if is_preflight(request):
            return preflight()
        if request.method not in ("GET", "POST"):
            error = Invalid("Socket.IO accepts GET and POST only.")
            return problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": METHODS})
        parameters = dict(reversed(parse_qsl(request.query, keep_blank_values=True)))
        if (version := parameters.get("EIO")) != "4":
            raise self._wrong_version(request, version)
        if self._is_closing:
            raise Unavailable(CLOSING)
        sid = parameters.get("sid")
        match parameters.get("transport"), request.method:
            case "websocket", "GET":
                refusal = websocket_handshake.version_refusal(request)
                return refusal or await self._open_websocket(request, upgradable, sid)
            case "polling", "GET":
                if sid is None:
                    return text_response(self._open_polling(request))
                return _poll_response(await self._polling_sessions.find(sid).poll())
            case "polling", "POST":
                return await self._post(request, self._polling_sessions.find(sid or ""))
            case _:
                raise Invalid("transport must be websocket or polling.", field="transport")

    def _wrong_version(self, request: Request, version: str | None) -> Invalid:
        if version == "3" and self._version_log_throttle.admits(client_network(request.remote)):
            log.warning(
                "Client of Socket.IO 2 (EIO=3) refused: address=%s. Install version 3 or 4 of its client library, for "
                "example socket.io-client 4 or python-socketio 5.",
                request.remote,
            )
        subject = "This client uses Engine.IO 3 (Socket.IO 2); the server" if version == "3" else "The server"
        return Invalid(
            f"{subject} supports Engine.IO 4 (query parameter EIO=4): install version 3 or 4 of the Socket.IO client, "
            "for example socket.io-client 4 or python-socketio 5.",
            field="EIO",
        )

    # Polling.

    def _open_polling(self, request: Request) -> str:
        """Open a polling session. Returns its OPEN packet; raises `RateLimited`."""
        self._count_connection(request)
        polling = self._polling_sessions.open(request.remote)
        return self._open_packet(polling.sid, upgrades=["websocket"])

    async def _post(self, request: Request, polling: PollingSession) -> Response:
        try:
            body = await read_bytes(request)
            if len(body) > POSTED_MAX:
                raise TooLarge(f"By polling there is one CONNECT, of {POSTED_MAX} bytes at most.")
            polling.post(_text(body))
        except ChatError:
            polling.end(CLOSE)
            raise
        return text_response("ok")

    # Websocket.

    async def _open_websocket(self, request: Request, upgradable: web.Request, sid: str | None) -> web.StreamResponse:
        """Serve a websocket to its end.

        The polling session ``sid`` ends with an error if its websocket is refused temporarily, or ends before the
        upgrade.
        """
        try:
            response = await self._serve_websocket(request, upgradable, sid)
        except ChatError as error:
            if error.temporary:
                # A new error: the traceback of this one refers to the session, which would make a reference cycle.
                self._polling_sessions.end(sid, Unavailable(error.message, retry_after_ms=error.retry_after_ms))
            raise
        self._polling_sessions.end(sid, Unavailable(NO_WEBSOCKET))
        return response

    async def _serve_websocket(self, request: Request, upgradable: web.Request, sid: str | None) -> web.StreamResponse:
        websocket_handshake.check_request(upgradable)
        polling = None if sid is None else self._polling_sessions.find(sid)
        address = request.remote
        self._websockets.acquire(address)
        try:
            if polling is not None:
                polling.attach_websocket()
            response = websocket_handshake.acceptance_response(upgradable)
            await self._run_session(request, upgradable, response, polling)
        finally:
            self._websockets.release(address)
        return response

    async def _run_session(
        self, request: Request, upgradable: web.Request, response: web.StreamResponse, polling: PollingSession | None
    ) -> None:
        try:
            stream = await response.prepare(upgradable)
        except ConnectionError:
            return  # the client has closed the connection
        if stream is None or upgradable.transport is None:
            return
        writer = TransportWriter(upgradable.transport, stream, self._flusher, self._timing.close_timeout)
        if polling is None:
            writer.write(writer.encode(self._open_packet(new_id(), upgrades=[])))
        authenticate = self._authenticate if polling else self._counting_authenticator(request)
        handshake = Handshake(credentials=partial(credentials, request), has_origin="Origin" in request.headers)
        session = SocketioSession(self._chat, authenticate, handshake, writer, self._timing, polling)
        self._sessions.add(session)
        self._ticker.add(session)
        if self._is_closing:
            session.close(Bye(code="shutdown"))
        receiver: Any = Receiver(session, upgradable.transport)
        upgradable.protocol.set_parser(receiver)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self._ticker.remove(session)
            if not self._sessions:
                self._all_ended.set()

    def _counting_authenticator(self, request: Request) -> Authenticator:
        """Return an authenticator that counts the connection at its first CONNECT.

        A polling session was counted when it was opened, so its upgrade is not counted again.
        """
        is_counted = False

        async def authenticate(credentials: Credentials) -> Principal | None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                self._count_connection(request)
            return await self._authenticate(credentials)

        return authenticate

    def _count_connection(self, request: Request) -> None:
        """Count a connection of the client's address. Raises `RateLimited`."""
        network = client_network(request.remote)
        if wait_ms := self._limiter.take("connect", network):
            if self._limit_log_throttle.admits(network):
                log.warning("connection limit reached: limit=connect address=%s", network)
            raise RateLimited("Too many connections; try again later.", retry_after_ms=wait_ms)

    def _open_packet(self, sid: str, *, upgrades: list[str]) -> str:
        return open_packet(
            sid,
            upgrades=upgrades,
            ping_interval=self._timing.ping_interval,
            ping_timeout=self._timing.ping_timeout,
            max_payload=WHOLE_MAX,
        )


def _poll_response(answer: str | ChatError) -> Response:
    return problem(answer) if isinstance(answer, ChatError) else text_response(answer)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("Packets must be encoded in UTF-8.") from None
