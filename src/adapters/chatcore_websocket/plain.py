"""The plain WebSocket: the commands and pushes of the protocol as JSON texts, without Socket.IO."""

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from chatcore.chat import Chat
from chatcore.errors import ChatError, Invalid, TooLarge, Unavailable
from chatcore.ports.authenticator import Authenticator
from chatcore.ports.pushes import Bye, Push
from chatcore.protocol import Object, answer_text, error_object, push_text
from chatcore.socket import Socket
from chatcore_http.codec import decode, encode
from chatcore_http.problems import problem
from chatcore_http.requests import Request
from chatcore_http.responses import Response

from .close_codes import POLICY, TOO_BIG
from .connection import WebsocketConnection
from .deadlines import Timing
from .handler import ConnectRequest, Handler, Handshake, ProtocolViolation
from .incoming import Event, Pong, TruncatedText
from .session import WebsocketSession
from .upgrade import Upgrade
from .websockets import CLOSING, NOT_A_WEBSOCKET, Websockets
from .writer import Writer

PATH = "/ws"
ID_MAX = 64
"""Characters of an id that is a string."""

_STARTS_WITH_ID = re.compile(r'\s*\{\s*"id"\s*:\s*(?:(0|[1-9][0-9]{0,14})|"([^"\\]{1,64})")\s*,')


class PlainConnection(WebsocketConnection):
    """Writes the pushes and answers of one socket as JSON texts."""

    __slots__ = ()

    _refusal_code = POLICY

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer, push_text)

    def _accept(self) -> None:
        """Write nothing: `ready` is the answer."""

    def _answer_text(self, request: int | str, answer: Object) -> str:
        return answer_text(request, answer)

    def _write_bye(self, bye: Bye) -> None:
        self._write(push_text(Push("bye", bye)))

    def _write_refusal(self, error: ChatError) -> None:
        self._write(encode({"event": "connect_error", "data": error_object(error)}).decode())


class PlainHandler(Handler):
    """Handles the frames of one plain WebSocket, in one task."""

    def __init__(
        self, chat: Chat, authenticate: Authenticator, handshake: Handshake, writer: Writer, connect_timeout: float
    ) -> None:
        super().__init__(chat, authenticate, handshake, PlainConnection(writer), writer, connect_timeout)

    async def _take_connect_request(self) -> ConnectRequest | None:
        text = await self.queue.take()
        if text is None:
            return None
        try:
            frame = decode(text, nesting=1)
        except Invalid:
            raise ProtocolViolation from None
        match frame:
            case {"event": "connect", **rest} if rest.keys() <= {"data"}:
                return ConnectRequest(rest.get("data"))
            case _:
                raise ProtocolViolation

    async def _handle_commands(self, socket: Socket) -> None:
        while (text := await self.queue.take()) is not None:
            if isinstance(text, TruncatedText):
                self._answer_too_large(text)
                continue
            try:
                frame = decode(text, nesting=1)
            except Invalid as error:
                self._answer_malformed(text, error)
                continue
            await self._handle_frame(socket, frame)

    async def _handle_frame(self, socket: Socket, frame: object) -> None:
        match frame:
            case {"event": str(event), **rest} if event != "connect" and rest.keys() <= {"id", "data"}:
                answer = partial(self.connection.answer, _id(rest)) if "id" in rest else None
                await socket.receive(event, rest.get("data"), answer)
            case _:
                raise ProtocolViolation

    def _answer_too_large(self, text: TruncatedText) -> None:
        """Answer a truncated frame with `TooLarge`. Without an id in its start, end the websocket."""
        if not self._refuse(text, TooLarge()):
            self._writer.end(TOO_BIG)

    def _answer_malformed(self, text: str, error: Invalid) -> None:
        if not self._refuse(text, error):
            raise ProtocolViolation

    def _refuse(self, text: str, error: ChatError) -> bool:
        """Answer a frame with an error. Returns False if the frame does not begin with its id."""
        match = _STARTS_WITH_ID.match(text)
        if match is None:
            return False
        self.connection.answer(int(match[1]) if match[1] else match[2], {"ok": False, "error": error_object(error)})
        return True


class PlainSession(WebsocketSession):
    """A client's session over one plain WebSocket.

    Args:
        chat: the client's commands go to it.
        authenticate: called when the client connects.
        handshake: the request that opened the websocket.
        writer: the writer of the websocket.
        timing: the durations of the session.
    """

    def __init__(
        self, chat: Chat, authenticate: Authenticator, handshake: Handshake, writer: Writer, timing: Timing
    ) -> None:
        handler = PlainHandler(chat, authenticate, handshake, writer, timing.connect_timeout)
        super().__init__(handler, writer, timing, writer.write_ping)

    def receive(self, event: Event) -> "asyncio.Future[None] | None":
        if isinstance(event, Pong):
            self._heartbeat.receive_pong(self._loop.time())
        return super().receive(event)

    def _receive_text(self, text: str) -> None:
        self._queue.put(text)


class WebsocketServer:
    """Serves the plain WebSocket. `answer` answers every method of its path.

    Args:
        websockets: the server's websockets.
    """

    def __init__(self, websockets: Websockets) -> None:
        self._websockets = websockets

    async def answer(self, request: Request, upgrade: Upgrade | None) -> Response | None:
        """Answer a request.

        Args:
            request: the request.
            upgrade: the same request, as the web server makes a websocket of it; None if it can't.

        Returns:
            The response, or None after a websocket has ended.
        """
        return await self._websockets.answer(request, partial(self._answer, request, upgrade))

    async def _answer(self, request: Request, upgrade: Upgrade | None) -> Response | None:
        if request.method != "GET":
            error = Invalid("A websocket is opened with GET.")
            return problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
        if self._websockets.is_closing:
            raise Unavailable(CLOSING)
        if upgrade is None:
            raise Invalid(NOT_A_WEBSOCKET)
        if (refusal := upgrade.refusal()) is None:
            await self._websockets.serve(request, upgrade, partial(self._session, request))
        return refusal

    def _session(self, request: Request, writer: Writer, handshake: Handshake) -> PlainSession:
        websockets = self._websockets
        authenticate = websockets.counting_authenticator(request)
        return PlainSession(websockets.chat, authenticate, handshake, writer, websockets.timing)


def _id(frame: Mapping[Any, object]) -> int | str:
    match frame["id"]:
        case bool():
            raise ProtocolViolation
        case int(number):
            return number
        case str(text) if len(text) <= ID_MAX:
            return text
        case _:
            raise ProtocolViolation
