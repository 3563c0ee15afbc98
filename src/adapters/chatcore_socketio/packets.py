"""Packets of Socket.IO protocol 5 and Engine.IO protocol 4: python-socketio's classes with chatcore's JSON codec."""

from typing import Any

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


class Packet(socketio.Packet):
    """A Socket.IO packet without binary events; python-socketio would search each packet's data for bytes."""

    uses_binary_events = False
    json: Any = _Json


class EnginePacket(engineio.Packet):
    """An Engine.IO packet. The payload of a received packet stays text."""

    json: Any = _EngineJson
    data: Any


def open_packet(sid: str, *, upgrades: list[str], ping_interval: float, ping_timeout: float, max_payload: int) -> str:
    """Return OPEN, the first packet of an Engine.IO session.

    Args:
        sid: the id of the session.
        upgrades: transports that the client may upgrade to.
        ping_interval: seconds.
        ping_timeout: seconds.
        max_payload: bytes of the largest message that is answered.
    """
    return _engine(
        engineio.OPEN,
        {
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": round(ping_interval * 1000),
            "pingTimeout": round(ping_timeout * 1000),
            "maxPayload": max_payload,
        },
    )


def connected(sid: str) -> str:
    """Return the answer to a CONNECT that was accepted."""
    return _message(Packet(socketio.CONNECT, data={"sid": sid}))


def connect_error(error: ChatError, namespace: str | None = None) -> str:
    """Return the answer to a CONNECT that was refused. Official clients pass ``data`` to the application."""
    return _message(
        Packet(
            socketio.CONNECT_ERROR, data={"message": error.message, "data": error_object(error)}, namespace=namespace
        )
    )


def disconnect() -> str:
    """Return DISCONNECT, after which official clients do not reconnect."""
    return _message(Packet(socketio.DISCONNECT))


def acknowledgement(ack_id: int | str, answer: Object) -> str:
    """Return the acknowledgement of the event that has the id ``ack_id``."""
    return _message(Packet(socketio.ACK, data=[answer], id=ack_id))


def event(name: str, body: object) -> str:
    """Return an event for the client."""
    return _message(Packet(socketio.EVENT, data=[name, push_object(body)]))


def push_packet(push: Push) -> str:
    """Return a push as a packet, which is the same for all its receivers."""
    return event(push.event, push.body)


def _message(packet: Packet) -> str:
    return _engine(engineio.MESSAGE, packet.encode())


def _engine(packet_type: int, data: object = None) -> str:
    text: Any = EnginePacket(packet_type, data).encode()
    return str(text)


CLOSE = _engine(engineio.CLOSE)
PING = _engine(engineio.PING)
PONG = _engine(engineio.PONG)
MESSAGE = _engine(engineio.MESSAGE)
NOOP = _engine(engineio.NOOP)
PROBE = _engine(engineio.PING, "probe")
PROBED = _engine(engineio.PONG, "probe")
UPGRADE = _engine(engineio.UPGRADE)
