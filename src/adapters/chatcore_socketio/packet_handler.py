"""Handles the Socket.IO packets of a client in their order: CONNECT first, then its commands."""

import re
from functools import partial

from socketio import packet as socketio

from chatcore.chat import Chat
from chatcore.errors import ChatError, Invalid, TooLarge
from chatcore.ports.authenticator import Authenticator
from chatcore.protocol import error_object
from chatcore.socket import Socket
from chatcore_websocket.close_codes import NORMAL, TOO_BIG
from chatcore_websocket.handler import ConnectRequest, Handler, Handshake, ProtocolViolation
from chatcore_websocket.incoming import TruncatedText
from chatcore_websocket.writer import Writer

from .connection import SocketConnection
from .packets import RESERVED, Packet, empty_packet

_EVENT_WITH_ACK_ID = re.compile(r"42([0-9]+)\[")


class PacketHandler(Handler):
    """Handles the packets of one websocket, in one task.

    Args:
        chat: that the client's commands go to.
        authenticate: asked at CONNECT, and when the client shows a new token.
        handshake: that opened the websocket.
        writer: of the websocket.
        connect_timeout: seconds from CONNECT to its answer.
    """

    connection: SocketConnection

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        handshake: Handshake,
        writer: Writer,
        connect_timeout: float,
    ) -> None:
        super().__init__(chat, authenticate, handshake, SocketConnection(writer), writer, connect_timeout)

    async def _take_connect_request(self) -> ConnectRequest | None:
        packet = await self._next_packet()
        if packet is None:
            return None
        if packet.packet_type != socketio.CONNECT:
            raise ProtocolViolation
        return ConnectRequest(packet.data)

    async def _handle_commands(self, socket: Socket) -> None:
        while (packet := await self._next_packet()) is not None:
            await self._handle_event(socket, packet)

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
        packet = empty_packet()
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
        """Answer a truncated event with `TooLarge`. End the websocket if the start has no acknowledgement id."""
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
        if not self.idle_frames.take():
            raise ProtocolViolation
        if packet.packet_type == socketio.CONNECT:
            self.connection.refuse_namespace(Invalid("Unknown namespace; connect to /."), packet.namespace)
        elif packet.packet_type != socketio.DISCONNECT:
            raise ProtocolViolation

    async def _handle_event(self, socket: Socket, packet: Packet) -> None:
        if packet.packet_type != socketio.EVENT:
            raise ProtocolViolation
        event = packet.data
        answer = None if packet.id is None else partial(self.connection.answer, packet.id)
        if type(event) is list and event and type(event[0]) is str and event[0] not in RESERVED:
            await socket.receive(event[0], event[1] if len(event) == 2 else None, answer)
        else:
            raise ProtocolViolation
