"""Packets of Socket.IO protocol 5 and Engine.IO protocol 4: python-socketio's classes with chatcore's JSON codec."""

from typing import Any, Protocol

from engineio import packet as engineio
from socketio import packet as socketio

from chatcore.errors import ChatError
from chatcore.ports.pushes import Push
from chatcore.protocol import Object, error_object, push_object
from chatcore_http.codec import decode, encode

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
"""Event names that client libraries use for their own events."""


class _Json:
    """The part of the interface of the module ``json`` that python-socketio uses."""

    @staticmethod
    def dumps(value: object, separators: object = None) -> str:
        return encode(value).decode()

    @staticmethod
    def loads(text: str) -> object:
        # The outer list belongs to the packet, and does not count as a level of the command's object.
        return decode(text, nesting=1)


class _EngineJson(_Json):
    """A codec that leaves the payload of a received Engine.IO packet undecoded."""

    @staticmethod
    def loads(text: str) -> object:
        raise ValueError  # python-engineio then keeps the text


class Packet(Protocol):
    """A Socket.IO packet. Declares the attributes of python-socketio's untyped class that a receiver reads."""

    packet_type: int
    namespace: str | None
    id: int | None
    data: Any

    def decode(self, encoded_packet: str) -> int:
        """Read a packet from text. Returns the number of attachments that follow.

        Raises:
            ChatError: The data is not what the contract allows. What precedes the data has been read.
            ValueError: The text is not a packet.
        """
        ...


class EnginePacket(Protocol):
    """An Engine.IO packet. Declares the attributes of python-engineio's untyped class that a receiver reads."""

    packet_type: int
    binary: bool
    data: Any


class _Packet(socketio.Packet):
    """A packet without binary events; python-socketio would search each packet's data for bytes."""

    uses_binary_events = False
    json: Any = _Json


class _EnginePacket(engineio.Packet):
    """A packet whose payload stays text when it is received."""

    json: Any = _EngineJson


def empty_packet() -> Packet:
    """Return a Socket.IO packet to decode."""
    return _Packet()


def received_engine_packet(text: str) -> EnginePacket:
    """Return a decoded Engine.IO packet. Its payload stays text.

    Raises:
        ValueError: The text is not a packet.
    """
    return _EnginePacket(encoded_packet=text)


def open_packet(sid: str, *, upgrades: list[str], ping_interval: float, ping_timeout: float, max_payload: int) -> str:
    """Return OPEN, the first packet of an Engine.IO session.

    Args:
        sid: the id of the session.
        upgrades: transports that the client may upgrade to.
        ping_interval: seconds.
        ping_timeout: seconds.
        max_payload: bytes of the largest message that is answered.
    """
    session = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(ping_interval * 1000),
        "pingTimeout": round(ping_timeout * 1000),
        "maxPayload": max_payload,
    }
    return f"{_OPEN}{encode(session).decode()}"


def connected(sid: str) -> str:
    """Return the answer to a CONNECT that was accepted."""
    return f"{_CONNECTED}{encode({'sid': sid}).decode()}"


def connect_error(error: ChatError, namespace: str | None = None) -> str:
    """Return the answer to a CONNECT that was refused. Official clients pass ``data`` to the application."""
    return _message(
        _Packet(
            socketio.CONNECT_ERROR, data={"message": error.message, "data": error_object(error)}, namespace=namespace
        )
    )


def disconnect() -> str:
    """Return DISCONNECT, after which official clients do not reconnect."""
    return _message(_Packet(socketio.DISCONNECT))


def acknowledgement(ack_id: int | str, answer: Object) -> str:
    """Return the acknowledgement of the event that has the id ``ack_id``."""
    return f"{_ACK}{ack_id}{encode([answer]).decode()}"


def event(name: str, body: object) -> str:
    """Return an event for the client."""
    return f"{_EVENT}{encode([name, push_object(body)]).decode()}"


def push_packet(push: Push) -> str:
    """Return a push as a packet, which is the same for all its receivers."""
    return event(push.event, push.body)


def _message(packet: _Packet) -> str:
    return _engine(engineio.MESSAGE, packet.encode())


def _engine(packet_type: int, data: object = None) -> str:
    text: Any = _EnginePacket(packet_type, data).encode()
    return str(text)


CLOSE = _engine(engineio.CLOSE)
PING = _engine(engineio.PING)
PONG = _engine(engineio.PONG)
MESSAGE = _engine(engineio.MESSAGE)
NOOP = _engine(engineio.NOOP)
PROBE = _engine(engineio.PING, "probe")
PROBED = _engine(engineio.PONG, "probe")
UPGRADE = _engine(engineio.UPGRADE)

# What precedes the JSON of a packet without namespace and attachments. python-socketio's own encoding, which looks for
# both, took half of the time of a push.
_OPEN = _engine(engineio.OPEN, {}).removesuffix("{}")
_CONNECTED = _message(_Packet(socketio.CONNECT, data={})).removesuffix("{}")
_EVENT = _message(_Packet(socketio.EVENT, data=[])).removesuffix("[]")
_ACK = _message(_Packet(socketio.ACK, data=[])).removesuffix("[]")
