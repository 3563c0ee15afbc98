"""A websocket of an ASGI server."""

import asyncio
import logging
import re
from typing import Final

from chatcore.outbox import OutgoingQueue
from chatcore_http import Response
from chatcore_websocket.close_codes import TOO_BIG
from chatcore_websocket.incoming import START_MAX, WHOLE_MAX, FrameError, TruncatedText
from chatcore_websocket.session import WebsocketSession
from chatcore_websocket.upgrade import Upgrade
from chatcore_websocket.writer import UNSENT_MAX, Writer

from .protocol import Message, Receive, Scope, Send

MESSAGES_PER_TURN = 16
"""Messages of a client that are read in one turn of the event loop."""
UTF8_MAX = 4
"""Bytes of a character in UTF-8."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, section 5.6.2."""

log: Final = logging.getLogger(__name__)


class QueueWriter(Writer):
    """Writes text messages to one websocket through a bounded queue, which one task sends.

    Args:
        send: sends a message of ASGI. It waits while the client does not read.
        close_timeout: seconds from the start of a close until the sending is cut.
    """

    __slots__ = ("_close_timeout", "_code", "_is_cut_planned", "_queue", "_send", "_sending")

    def __init__(self, send: Send, close_timeout: float) -> None:
        super().__init__()
        self._send = send
        self._close_timeout = close_timeout
        self._code: int | None = None
        self._queue = OutgoingQueue()
        self._is_cut_planned = False
        self._sending = asyncio.create_task(self._send_all())

    @staticmethod
    def encode(text: str) -> bytes:
        return text.encode()

    def write(self, message: bytes) -> None:
        if self.is_ended:
            return
        self._queue.put(message)
        if self._queue.unsent > UNSENT_MAX:
            self._overflow()

    def write_ping(self) -> bool:
        return False

    def write_pong(self, payload: bytes) -> None:
        """Do nothing: the server has answered."""

    async def drained(self) -> None:
        await self._queue.drained()

    def end(self, code: int) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self._code = code
        self._queue.close()
        self._cut_later()
        if self.on_end:
            self.on_end()

    def close(self) -> None:
        self._drop_callbacks()
        self._queue.close()
        self._cut_later()

    def connection_lost(self) -> None:
        self._sending.cancel()

    async def run(self, session: WebsocketSession) -> None:
        """Run a session until it has ended and everything has been sent, or the sending has been cut."""
        self._sending.add_done_callback(lambda _: session.connection_lost())
        try:
            await session.run()
        finally:
            try:
                await asyncio.wait({self._sending})
            finally:
                self._sending.cancel()

    def _cut_later(self) -> None:
        if not self._is_cut_planned:
            self._is_cut_planned = True
            asyncio.get_running_loop().call_later(self._close_timeout, self._sending.cancel)

    async def _send_all(self) -> None:
        try:
            await self._queue.send_all(self._send_text)
            if self._code is not None:
                await self._send({"type": "websocket.close", "code": self._code})
        except OSError:
            pass  # the client has disconnected
        except Exception:
            log.exception("websocket write failed")

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})


class AsgiUpgrade(Upgrade):
    """A connection of an ASGI server that may become a websocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._writer: QueueWriter | None = None

    def refusal(self) -> Response | None:
        return None  # the server has checked the request

    async def accept(self, close_timeout: float) -> QueueWriter | None:
        # Browsers fail if they offer subprotocols and the server selects none.
        offered = next(iter(self._scope.get("subprotocols", ())), None)
        subprotocol = offered if offered and _TOKEN.fullmatch(offered) else None
        try:
            await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        except OSError:
            return None
        self._writer = QueueWriter(self._send, close_timeout)
        return self._writer

    async def run(self, session: WebsocketSession) -> None:
        if self._writer is None:
            return
        receiving = asyncio.create_task(self._receive_all(session))
        try:
            await self._writer.run(session)
        finally:
            receiving.cancel()
            await asyncio.wait({receiving})

    async def _receive_all(self, session: WebsocketSession) -> None:
        """Give the client's messages to the session, until the client leaves or the session takes no more."""
        count = 0
        try:
            while session.is_receiving:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    break
                await _take(session, message)
                count += 1
                if count % MESSAGES_PER_TURN == 0:
                    await asyncio.sleep(0)  # a server may have many messages ready
            else:
                return
        except Exception:
            log.exception("websocket read failed")
        session.connection_lost()


async def refuse(scope: Scope, send: Send, response: Response) -> None:
    """Refuse a websocket with a response, or with 403 where the server can't send responses to websockets."""
    try:
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close"})
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": response.body})
    except OSError:
        pass  # the client has disconnected


async def _take(session: WebsocketSession, message: Message) -> None:
    text: str | None = message.get("text")
    if text is None:
        session.receive(b"")
        return
    if len(text) * UTF8_MAX > WHOLE_MAX and len(encoded := text.encode()) > WHOLE_MAX:
        if len(encoded) > session.message_max:
            session.fail(FrameError(TOO_BIG, "a message is too large"))
            return
        text = TruncatedText(encoded[:START_MAX].decode(errors="ignore"))
    if queue_space := session.receive(text):
        await queue_space
