"""Handles the messages of a client in their order: its request to connect first, then its commands."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from attrs import frozen

from chatcore.chat import Chat
from chatcore.errors import ChatError, Forbidden, Invalid, Unauthenticated
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.pushes import Bye
from chatcore.socket import Socket

from .close_codes import INTERNAL, TRY_AGAIN
from .connection import WebsocketConnection
from .connection_limits import IdleFrameLimit
from .incoming_queue import IncomingQueue
from .writer import Writer

log: Final = logging.getLogger(__name__)

NO_ORIGIN = "A websocket that is authenticated by a cookie needs an Origin header. Send an access token instead."


class ProtocolViolation(Exception):
    """The client sent a message that the wire contract does not allow."""


class ConnectRequest(NamedTuple):
    """A client's request to connect, with the object that carries its token."""

    auth: object


@frozen(kw_only=True)
class Handshake:
    """The HTTP request that opened a websocket.

    Attributes:
        credentials: returns the credentials of the request, with a token that the client has sent afterwards.
        has_origin: whether the request named an origin. It was admitted then.
        cookie_fault: what is wrong with its cookies, and what to do; None if nothing is.
    """

    credentials: Callable[[str | None], Credentials]
    has_origin: bool
    cookie_fault: str | None = None


class Handler(ABC):
    """Handles the messages of one websocket, in one task.

    Args:
        chat: that the client's commands go to.
        authenticate: asked when the client connects, and when it shows a new token.
        handshake: that opened the websocket.
        connection: takes the pushes and answers.
        writer: of the websocket.
        connect_timeout: seconds from the request to connect to its answer.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        handshake: Handshake,
        connection: WebsocketConnection,
        writer: Writer,
        connect_timeout: float,
    ) -> None:
        self.queue: IncomingQueue = IncomingQueue()
        self.idle_frames: IdleFrameLimit = IdleFrameLimit(asyncio.get_running_loop().time)
        self.connection = connection
        self.has_received_connect: bool = False
        self._chat = chat
        self._authenticate = authenticate
        self._handshake = handshake
        self._writer = writer
        self._connect_timeout = connect_timeout
        self._socket: Socket | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the request to connect has been accepted."""
        return self._socket is not None

    async def run(self) -> None:
        """Handle messages until the queue is closed and empty, or the websocket has been ended."""
        try:
            async with AsyncExitStack() as connected:
                request = await self._take_connect_request()
                if request is not None:
                    self.has_received_connect = True
                    if socket := await self._connect(request, connected):
                        await self._handle_commands(socket)
        except ProtocolViolation:
            self.connection.close(Bye(code="protocol"))
        except Exception:
            log.exception("message handler failed")
            self._writer.end(INTERNAL)

    def end(self) -> None:
        """Take no more messages, and stop waiting for anything."""
        self.queue.close()
        if self._socket:
            self._socket.end()

    @abstractmethod
    async def _take_connect_request(self) -> ConnectRequest | None:
        """Wait for the request to connect. Returns None at the end of the messages. Raises `ProtocolViolation`."""

    @abstractmethod
    async def _handle_commands(self, socket: Socket) -> None:
        """Handle the client's commands until the messages end. Raises `ProtocolViolation`."""

    async def _connect(self, request: ConnectRequest, connected: AsyncExitStack) -> Socket | None:
        """Open a socket. Returns None if the request was refused; the websocket has been ended then."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                self._socket = await self._open_socket(_token(request.auth), connected)
        except ChatError as error:
            if not error.temporary:
                self.connection.refuse(error)
        except TimeoutError:
            log.warning("CONNECT timed out: seconds=%g", self._connect_timeout)
        except Exception:
            log.exception("CONNECT failed")
        # Official Socket.IO clients try again after this close code, and do not after a CONNECT_ERROR.
        if self._socket is None:
            self._writer.end(TRY_AGAIN)
        return self._socket

    async def _open_socket(self, token: str | None, connected: AsyncExitStack) -> Socket:
        credentials = self._handshake.credentials(token)
        try:
            principal = await self._chat.authenticated(self._authenticate, credentials)
        except Unauthenticated:
            if fault := self._handshake.cookie_fault:
                raise Unauthenticated(fault) from None
            raise
        # Browsers send cookies with the websockets of any page, and name the page's origin.
        if credentials.token is None and "cookie" in credentials.headers and not self._handshake.has_origin:
            raise Forbidden(NO_ORIGIN)
        return await connected.enter_async_context(
            self._chat.connect(
                self.connection,
                user=principal.user,
                device=principal.device,
                expires_at=principal.expires_at,
                session=principal.session,
                authenticate=self._refreshed_by_token if token else self._refreshed_by_handshake,
            )
        )

    def _refreshed_by_token(self, token: str | None) -> Awaitable[Principal | None]:
        if token is None:
            raise Invalid("This socket was opened with a token: token must be there.", field="token")
        return self._authenticate(self._handshake.credentials(token))

    def _refreshed_by_handshake(self, token: str | None) -> Awaitable[Principal | None]:
        credentials = self._handshake.credentials(token)
        if token is not None:  # the cookie, which is valid still, must not answer for the token
            credentials = credentials.without_cookies()
        return self._authenticate(credentials)


def _token(auth: object) -> str | None:
    """Return the token in a request to connect; None without one. Raises `Invalid`."""
    token = auth.get("token") if isinstance(auth, dict) else auth
    if token is None or (isinstance(auth, dict) and isinstance(token, str)):
        return token
    raise Invalid('CONNECT must carry {"token": "…"}.', field="token")
