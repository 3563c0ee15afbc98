"""Packets of Socket.IO and Engine.IO: python-socketio's classes, with JSON as the contract wants it.

Sources: Socket.IO protocol 5, Engine.IO protocol 4.
"""

from typing import Any

from engineio import packet as engine
from socketio import packet as socket

from chatcore.errors import ChatError
from chatcore.ports.pushes import Push
from chatcore.protocol import Object, error_object, push_object
from chatcore_aiohttp.codec import decode, encode

from .frames import text_frame

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
"""Names that a client's library gives to its own events."""


class _Json:
    """What python-socketio asks of a ``json`` module."""

    @staticmethod
    def dumps(value: object, separators: object = None) -> str:
        return encode(value).decode()

    @staticmethod
    def loads(text: str) -> object:
        # The list around an event's object is the packet's, not the command's.
        return decode(text, around=1)


class _Text(_Json):
    @staticmethod
    def loads(text: str) -> object:
        raise ValueError  # python-engineio then leaves the text as it is


class Packet(socket.Packet):
    """A Socket.IO packet. No binary events: the scan for them would be a fifth of a message's cost."""

    uses_binary_events = False
    json: Any = _Json


class EnginePacket(engine.Packet):
    """An Engine.IO packet; what it carries stays text."""

    json: Any = _Text
    data: Any


def open_packet(sid: str, *, upgrades: list[str], ping_interval: float, ping_timeout: float, max_payload: int) -> str:
    """The first packet of an Engine.IO session. Durations in seconds."""
    return _engine(
        engine.OPEN,
        {
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": round(ping_interval * 1000),
            "pingTimeout": round(ping_timeout * 1000),
            "maxPayload": max_payload,
        },
    )


def connected(sid: str) -> str:
    return _message(Packet(socket.CONNECT, data={"sid": sid}))


def connect_error(error: ChatError, namespace: str | None = None) -> str:
    """Official clients give ``data`` as the data of their error."""
    return _message(
        Packet(socket.CONNECT_ERROR, data={"message": error.message, "data": error_object(error)}, namespace=namespace)
    )


def disconnect() -> str:
    return _message(Packet(socket.DISCONNECT))


def acknowledgement(number: int, answer: Object) -> str:
    return _message(Packet(socket.ACK, data=[answer], id=number))


def event(name: str, body: object) -> str:
    return _message(Packet(socket.EVENT, data=[name, push_object(body)]))


def push_frame(push: Push) -> bytes:
    """A push as a websocket frame, the same for all who get it."""
    return text_frame(event(push.event, push.body))


def _message(packet: Packet) -> str:
    return _engine(engine.MESSAGE, packet.encode())


def _engine(kind: int, data: object = None) -> str:
    text: Any = EnginePacket(kind, data).encode()
    return str(text)


CLOSE = _engine(engine.CLOSE)
PING = _engine(engine.PING)
PONG = _engine(engine.PONG)
MESSAGE = _engine(engine.MESSAGE)
NOOP = _engine(engine.NOOP)
PROBE = _engine(engine.PING, "probe")
PROBED = _engine(engine.PONG, "probe")
UPGRADE = _engine(engine.UPGRADE)
