"""The request handler for ``/socket.io/``."""

import logging
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from chatcore.domain.client_networks import client_network
from chatcore.errors import ChatError, Invalid, TooLarge, Unavailable
from chatcore.ids import new_id
from chatcore.log_throttle import LogThrottle
from chatcore_http.bodies import read_bytes
from chatcore_http.problems import problem
from chatcore_http.requests import Request
from chatcore_http.responses import Response, text_response
from chatcore_websocket.connection_limits import ConnectionCounter
from chatcore_websocket.handler import Handshake
from chatcore_websocket.incoming import WHOLE_MAX
from chatcore_websocket.upgrade import Upgrade
from chatcore_websocket.websockets import CLOSING, NOT_A_WEBSOCKET, Websockets
from chatcore_websocket.writer import Writer

from .packets import CLOSE, open_packet
from .polling_handshake import NO_WEBSOCKET, PollingSession, PollingSessions
from .session import SocketioSession

POSTED_MAX = 16 * 1024
"""Bytes of a POST, which carries CONNECT with a token."""
PATH = "/socket.io/"
METHODS = "GET, POST"

log: Final = logging.getLogger(__name__)


class SocketioServer:
    """Serves Socket.IO clients (Socket.IO protocol 5 over Engine.IO protocol 4).

    `answer` answers every method of ``/socket.io/``. Call `close` on shutdown, while connections are still open.

    Args:
        websockets: the server's websockets.
    """

    def __init__(self, websockets: Websockets) -> None:
        limits = websockets.limits
        self.websockets = websockets
        self._polling_sessions = PollingSessions(
            ConnectionCounter(total=limits.polling_sessions, per_address=limits.polling_sessions_per_address),
            websockets.ticker,
            timeout=websockets.timing.connect_timeout,
        )
        self._version_log_throttle = LogThrottle()

    @property
    def polling_sessions(self) -> int:
        """Number of polling sessions that have not been upgraded."""
        return len(self._polling_sessions)

    async def close(self) -> None:
        """End all polling sessions and all websockets, and open no more; see `Websockets.close`."""
        self.websockets.is_closing = True
        self._polling_sessions.close()
        await self.websockets.close()

    async def answer(self, request: Request, upgrade: Upgrade | None) -> Response | None:
        """Answer a request for ``/socket.io/``.

        Args:
            request: the request.
            upgrade: the same request, as the web server makes a websocket of it; None if it can't.

        Returns:
            The response, or None after a websocket has ended.
        """
        return await self.websockets.answer(request, partial(self._answer, request, upgrade))

    async def _answer(self, request: Request, upgrade: Upgrade | None) -> Response | None:
        if request.method not in ("GET", "POST"):
            error = Invalid("Socket.IO accepts GET and POST only.")
            return problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": METHODS})
        parameters = dict(reversed(parse_qsl(request.query, keep_blank_values=True)))
        if (version := parameters.get("EIO")) != "4":
            raise self._wrong_version(request, version)
        if self.websockets.is_closing:
            raise Unavailable(CLOSING)
        sid = parameters.get("sid")
        match parameters.get("transport"), request.method:
            case "websocket", "GET":
                if upgrade is None:
                    raise Invalid(NOT_A_WEBSOCKET)
                if (refusal := upgrade.refusal()) is None:
                    await self._open_websocket(request, upgrade, sid)
                return refusal
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
        self.websockets.count_connection(request)
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

    async def _open_websocket(self, request: Request, upgrade: Upgrade, sid: str | None) -> None:
        """Serve a websocket to its end.

        The polling session ``sid`` ends with an error if its websocket is refused temporarily, or ends before the
        upgrade.
        """
        try:
            polling = None if sid is None else self._polling_sessions.find(sid)
            if polling is not None:
                polling.attach_websocket()
            await self.websockets.serve(request, upgrade, partial(self._session, request, polling))
        except ChatError as error:
            if error.temporary:
                # A new error: the traceback of this one refers to the session, which would make a reference cycle.
                self._polling_sessions.end(sid, Unavailable(error.message, retry_after_ms=error.retry_after_ms))
            raise
        self._polling_sessions.end(sid, Unavailable(NO_WEBSOCKET))

    def _session(
        self, request: Request, polling: PollingSession | None, writer: Writer, handshake: Handshake
    ) -> SocketioSession:
        websockets = self.websockets
        if polling is None:
            writer.write(writer.encode(self._open_packet(new_id(), upgrades=[])))
        # A polling session was counted when it was opened, so its upgrade is not counted again.
        authenticate = websockets.authenticate if polling else websockets.counting_authenticator(request)
        return SocketioSession(websockets.chat, authenticate, handshake, writer, websockets.timing, polling)

    def _open_packet(self, sid: str, *, upgrades: list[str]) -> str:
        timing = self.websockets.timing
        return open_packet(
            sid,
            upgrades=upgrades,
            ping_interval=timing.ping_interval,
            ping_timeout=timing.ping_timeout,
            max_payload=WHOLE_MAX,
        )


def _poll_response(answer: str | ChatError) -> Response:
    return problem(answer) if isinstance(answer, ChatError) else text_response(answer)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("Packets must be encoded in UTF-8.") from None
