"""Handles the Socket.IO packets of a client in their order: CONNECT first, then its commands."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from socketio import packet as socketio

from chatcore.chat import Chat
from chatcore.errors import ChatError, Invalid, TooLarge
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.pushes import Bye
from chatcore.protocol import error_object
from chatcore.socket import Socket

from .connection import SocketConnection
from .frame_reader import TruncatedText
from .frames import INTERNAL, NORMAL, TOO_BIG, TRY_AGAIN
from .packets import RESERVED, Packet
from .writer import Writer

PACKETS_MAX = 256
"""Packets that a queue takes before it is full."""
CHARACTERS_MAX = 256 * 1024
"""Characters of packets that a queue takes before it is full."""

_EVENT_WITH_ACK_ID = re.compile(r"42([0-9]+)\[")

log = logging.getLogger(__name__)


class PacketQueue:
    """Packets of a client that the handler has not taken yet, in their order.

    When the queue is full the receiver stops reading, and TCP slows the client down. So a client that sends many
    commands without waiting for answers is slowed, and not cut.
    """

    __slots__ = ("_available", "_characters", "_is_closed", "_packets", "_space", "taken")

    def __init__(self) -> None:
        self.taken = 0
        """Number of packets taken so far."""
        self._packets: deque[str] = deque()
        self._characters = 0
        self._is_closed = False
        self._available: asyncio.Future[None] | None = None
        """Done when the handler, which waits, can take a packet or the queue is closed."""
        self._space: asyncio.Future[None] | None = None
        """Done when the receiver, which waits, may put packets again."""

    @property
    def is_full(self) -> bool:
        return len(self._packets) >= PACKETS_MAX or self._characters >= CHARACTERS_MAX

    @property
    def is_receiver_waiting(self) -> bool:
        """Whether the future of `space` is not done."""
        return self._space is not None

    def put(self, packet: str) -> None:
        """Add a packet. If the queue `is_full` then, wait for `space` before the next."""
        self._packets.append(packet)
        self._characters += len(packet)
        _wake(self._available)

    def space(self) -> asyncio.Future[None]:
        """Return a future that is done once the queue is at most half full, or closed."""
        if self._space is None:
            self._space = asyncio.get_running_loop().create_future()
        return self._space

    async def take(self) -> str | None:
        """Wait for the next packet. Returns None if the queue is closed and empty."""
        while not self._packets:
            if self._is_closed:
                return None
            self._available = asyncio.get_running_loop().create_future()
            try:
                await self._available
            finally:
                self._available = None
        packet = self._packets.popleft()
        self._characters -= len(packet)
        self.taken += 1
        if (
            self._space is not None
            and len(self._packets) <= PACKETS_MAX // 2
            and self._characters <= CHARACTERS_MAX // 2
        ):
            self._wake_receiver()
        return packet

    def close(self) -> None:
        """Mark the end of the packets. Those in the queue can still be taken."""
        self._is_closed = True
        _wake(self._available)
        self._wake_receiver()

    def clear(self) -> None:
        """Drop all packets in the queue."""
        self._packets.clear()
        self._characters = 0

    def _wake_receiver(self) -> None:
        _wake(self._space)
        self._space = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class ProtocolViolation(Exception):
    """The client sent a packet that the wire contract does not allow."""


class PacketHandler:
    """Handles the packets of one websocket, in one task.

    Args:
        chat: that the client's commands go to.
        authenticate: asked at CONNECT, and when the client shows a new token.
        credentials: makes the credentials of the client's request with a token.
        writer: of the websocket.
        connect_timeout: seconds from CONNECT to its answer.
        take_idle_frame: counts a packet that carries no command, and returns False above the limit.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        credentials: Callable[[str | None], Credentials],
        writer: Writer,
        connect_timeout: float,
        take_idle_frame: Callable[[], bool],
    ) -> None:
        self.queue = PacketQueue()
        self.connection = SocketConnection(writer)
        self.has_received_connect = False
        self._chat = chat
        self._authenticate = authenticate
        self._credentials = credentials
        self._writer = writer
        self._connect_timeout = connect_timeout
        self._take_idle_frame = take_idle_frame
        self._socket: Socket | None = None

    @property
    def is_connected(self) -> bool:
        """Whether CONNECT has been accepted."""
        return self._socket is not None

    async def run(self) -> None:
        """Handle packets until the queue is closed and empty, or the websocket has been ended."""
        try:
            async with AsyncExitStack() as connected:
                connect = await self._next_packet()
                if connect is not None and await self._connect(connect, connected):
                    while (packet := await self._next_packet()) is not None:
                        await self._handle_event(packet)
        except ProtocolViolation:
            self.connection.close(Bye(code="protocol"))
        except Exception:
            log.exception("packet handler failed")
            self._writer.end(INTERNAL)

    def end(self) -> None:
        """Take no more packets, and stop waiting for anything."""
        self.queue.close()
        if self._socket:
            self._socket.end()

    async def _next_packet(self) -> Packet | None:
        """Wait for the next packet of the default namespace. Returns None at the end, or when the client disconnects.

        Raises:
            ProtocolViolation: The client sent something else.
        """
        while (text := await self.queue.take()) is not None:
            packet = self._decode(text)
            if packet is None:
                continue
            if packet.namespace not in (None, "/"):
                self._answer_other_namespace(packet)
            elif packet.packet_type == socketio.DISCONNECT:
                self._writer.end(NORMAL)
                return None
            else:
                return packet
        return None

    def _decode(self, text: str) -> Packet | None:
        """Decode a packet. Returns None for a packet that has been answered with an error.

        Raises:
            ProtocolViolation: The text is not a packet that the contract allows.
        """
        if isinstance(text, TruncatedText):
            self._answer_too_large(text)
            return None
        packet = Packet()
        try:
            has_attachments = packet.decode(text)
        except ChatError as error:
            self._answer_malformed_event(packet, error)
            return None
        except ValueError:
            raise ProtocolViolation from None
        if has_attachments:
            raise ProtocolViolation
        return packet

    def _answer_too_large(self, text: TruncatedText) -> None:
        """Answer a truncated event with `TooLarge`. Without an acknowledgement's id in its start, end the websocket."""
        match = _EVENT_WITH_ACK_ID.match(text)
        if match and self._socket is not None:
            self.connection.answer(int(match[1]), {"ok": False, "error": error_object(TooLarge())})
        else:
            self._writer.end(TOO_BIG)

    def _answer_malformed_event(self, packet: Packet, error: ChatError) -> None:
        if self._socket is not None and packet.packet_type == socketio.EVENT and packet.id is not None:
            self.connection.answer(packet.id, {"ok": False, "error": error_object(error)})
        else:
            raise ProtocolViolation

    def _answer_other_namespace(self, packet: Packet) -> None:
        if not self._take_idle_frame():
            raise ProtocolViolation
        if packet.packet_type == socketio.CONNECT:
            self.connection.refuse_connect(Invalid("Unknown namespace; connect to /."), packet.namespace)
        elif packet.packet_type != socketio.DISCONNECT:
            raise ProtocolViolation

    # CONNECT.

    async def _connect(self, packet: Packet, connected: AsyncExitStack) -> bool:
        """Answer CONNECT. Returns whether it was accepted; otherwise the websocket has been ended."""
        if packet.packet_type != socketio.CONNECT:
            raise ProtocolViolation
        self.has_received_connect = True
        try:
            async with asyncio.timeout(self._connect_timeout):
                self._socket = await self._open_socket(_token(packet.data), connected)
        except ChatError as error:
            if not error.temporary:
                self.connection.refuse_connect(error)
                self._writer.end(NORMAL)
        except TimeoutError:
            log.warning("CONNECT timed out: seconds=%g", self._connect_timeout)
        except Exception:
            log.exception("CONNECT failed")
        # Official clients try again after this close code, and do not after a CONNECT_ERROR.
        if self._socket is None:
            self._writer.end(TRY_AGAIN)
        return self._socket is not None

    async def _open_socket(self, token: str | None, connected: AsyncExitStack) -> Socket:
        principal = await self._chat.authenticated(self._principal, token)
        return await connected.enter_async_context(
            self._chat.connect(
                self.connection,
                user=principal.user,
                device=principal.device,
                expires_at=principal.expires_at,
                session=principal.session,
                authenticate=self._principal,
            )
        )

    async def _principal(self, token: str | None) -> Principal | None:
        return await self._authenticate(self._credentials(token))

    # Commands.

    async def _handle_event(self, packet: Packet) -> None:
        if packet.packet_type != socketio.EVENT or self._socket is None:
            raise ProtocolViolation
        event = packet.data
        answer = None if packet.id is None else partial(self.connection.answer, packet.id)
        if type(event) is list and event and type(event[0]) is str and event[0] not in RESERVED:
            await self._socket.receive(event[0], event[1] if len(event) == 2 else None, answer)
        else:
            raise ProtocolViolation


def _token(auth: object) -> str | None:
    """Return the token that CONNECT carries; None without one. Raises `Invalid`."""
    token = auth.get("token") if isinstance(auth, dict) else auth
    if token is None or (isinstance(auth, dict) and isinstance(token, str)):
        return token
    raise Invalid('CONNECT must carry {"token": "…"}.', field="token")
