"""Takes a client's Socket.IO packets one after the other: CONNECT first, then its commands."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from socketio import packet as kinds

from chatcore.chat import Chat
from chatcore.errors import ChatError, Invalid, TooLarge, Unauthenticated
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.pushes import Bye
from chatcore.protocol import error_object
from chatcore.socket import Socket

from .connection import SocketConnection
from .frame_reader import TruncatedText
from .frames import INTERNAL, NORMAL, TOO_BIG, TRY_AGAIN
from .packets import RESERVED, Packet
from .writer import Writer

FRAMES_MAX = 256
BYTES_MAX = 256 * 1024
_ACKNOWLEDGED_EVENT = re.compile(r"42([0-9]+)\[")

log = logging.getLogger(__name__)


class PacketQueue:
    """A queue of packets from one receiver to one dispatcher.

    When it is full the receiver stops reading, and TCP slows the client down: a client that pipelines is slowed, not
    cut. A text message above the bound is a `TruncatedText`.
    """

    __slots__ = ("_characters", "_closed", "_filled", "_packets", "_room", "taken")

    def __init__(self) -> None:
        self.taken = 0
        """How many packets have been taken: whether it grows tells whether the dispatcher gets on."""
        self._packets: deque[str] = deque()
        self._characters = 0
        self._closed = False
        self._filled: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        return len(self._packets) >= FRAMES_MAX or self._characters >= BYTES_MAX

    @property
    def holds_up_the_reader(self) -> bool:
        return self._room is not None

    def put(self, packet: str) -> None:
        """Add a packet; where it makes the queue `full`, wait for `room` next."""
        self._packets.append(packet)
        self._characters += len(packet)
        _wake(self._filled)

    def room(self) -> asyncio.Future[None]:
        """Return a future that is done once half of the bound is free, or the queue has been closed."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    async def take(self) -> str | None:
        """The next packet; None when the queue is closed and empty."""
        while not self._packets:
            if self._closed:
                return None
            self._filled = asyncio.get_running_loop().create_future()
            try:
                await self._filled
            finally:
                self._filled = None
        packet = self._packets.popleft()
        self._characters -= len(packet)
        self.taken += 1
        if self._room is not None and len(self._packets) <= FRAMES_MAX // 2 and self._characters <= BYTES_MAX // 2:
            self._wake_reader()
        return packet

    def close(self) -> None:
        """Nothing comes any more; what is there can still be taken."""
        self._closed = True
        _wake(self._filled)
        self._wake_reader()

    def clear(self) -> None:
        """Forget what is there."""
        self._packets.clear()
        self._characters = 0

    def _wake_reader(self) -> None:
        _wake(self._room)
        self._room = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class Violation(Exception):
    """The client does not speak Socket.IO as the contract has it."""


class PacketHandler:
    """The one task that executes what a websocket's client sends."""

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        credentials: Callable[[str | None], Credentials],
        writer: Writer,
        connect_within: float,
        spend: Callable[[], bool],
    ) -> None:
        """``spend`` counts a packet that carries no command, and is False when it is one too many."""
        self.queue = PacketQueue()
        self.connection = SocketConnection(writer)
        self.has_met_connect = False
        self._chat = chat
        self._authenticate = authenticate
        self._credentials = credentials
        self._writer = writer
        self._connect_within = connect_within
        self._spend = spend
        self._socket: Socket | None = None

    @property
    def is_connected(self) -> bool:
        """Whether CONNECT has been accepted."""
        return self._socket is not None

    async def run(self) -> None:
        """Serve the client until nothing comes any more, or the writer has been ended."""
        try:
            async with AsyncExitStack() as connected:
                connect = await self._next()
                if connect is not None and await self._connect(connect, connected):
                    while (packet := await self._next()) is not None:
                        await self._receive(packet)
        except Violation:
            self.connection.close(Bye(code="protocol"))
        except Exception:
            log.exception("a socket's dispatcher failed")
            self._writer.end(INTERNAL)

    def end(self) -> None:
        """Nothing comes any more; nothing is waited for."""
        self.queue.close()
        if self._socket:
            self._socket.end()

    async def _next(self) -> Packet | None:
        """The next packet for the default namespace; None when there is none, or the client disconnects."""
        while (text := await self.queue.take()) is not None:
            packet = self._read(text)
            if packet is None:
                continue
            if packet.namespace not in (None, "/"):
                self._answer_elsewhere(packet)
            elif packet.packet_type == kinds.DISCONNECT:
                self._writer.end(NORMAL)
                return None
            else:
                return packet
        return None

    def _read(self, text: str) -> Packet | None:
        """The packet that ``text`` is; None for one that has been answered with an error. Raises `Violation`."""
        if isinstance(text, TruncatedText):
            self._answer_truncated(text)
            return None
        packet = Packet()
        try:
            if packet.decode(text):
                raise Violation  # it has binary attachments
        except ChatError as error:
            self._answer_unread(packet, error)
            return None
        except ValueError:
            raise Violation from None
        return packet

    def _answer_truncated(self, text: TruncatedText) -> None:
        """Answer a message that was too large to be kept; without an acknowledgement's id in its start, end."""
        found = _ACKNOWLEDGED_EVENT.match(text)
        if found and self._socket is not None:
            self.connection.answer(int(found[1]), {"ok": False, "error": error_object(TooLarge())})
        else:
            self._writer.end(TOO_BIG)

    def _answer_unread(self, packet: Packet, error: ChatError) -> None:
        if self._socket is not None and packet.packet_type == kinds.EVENT and packet.id is not None:
            self.connection.answer(packet.id, {"ok": False, "error": error_object(error)})
        else:
            raise Violation

    def _answer_elsewhere(self, packet: Packet) -> None:
        if not self._spend():
            raise Violation
        if packet.packet_type == kinds.CONNECT:
            self.connection.refuse(Invalid("Unknown namespace; connect to /."), packet.namespace)
        elif packet.packet_type != kinds.DISCONNECT:
            raise Violation

    # CONNECT.

    async def _connect(self, packet: Packet, connected: AsyncExitStack) -> bool:
        """Whether the client is in now. When it is not, it has been told why, or to try again."""
        if packet.packet_type != kinds.CONNECT:
            raise Violation
        self.has_met_connect = True
        try:
            async with asyncio.timeout(self._connect_within):
                self._socket = await self._enter(_token(packet.data), connected)
        except ChatError as error:
            if not error.temporary:
                self.connection.refuse(error)
                self._writer.end(NORMAL)
        except TimeoutError:
            log.warning("CONNECT could not be answered within %s s", self._connect_within)
        except Exception:
            log.exception("CONNECT failed")
        # After a refusal official clients do not try again, after this they do.
        if self._socket is None:
            self._writer.end(TRY_AGAIN)
        return self._socket is not None

    async def _enter(self, token: str | None, connected: AsyncExitStack) -> Socket:
        principal = await self._principal(token)
        if principal is None:
            raise Unauthenticated
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

    async def _receive(self, packet: Packet) -> None:
        if packet.packet_type != kinds.EVENT or self._socket is None:
            raise Violation
        event = packet.data
        answer = None if packet.id is None else partial(self.connection.answer, packet.id)
        if type(event) is list and event and type(event[0]) is str and event[0] not in RESERVED:
            await self._socket.receive(event[0], event[1] if len(event) == 2 else None, answer)
        else:
            raise Violation


def _token(auth: object) -> str | None:
    token = auth.get("token") if isinstance(auth, dict) else auth
    if token is None or (isinstance(auth, dict) and isinstance(token, str)):
        return token
    raise Invalid('CONNECT must carry {"token": "…"}.', field="token")
