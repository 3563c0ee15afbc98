"""Websocket frames of a server: whole, unmasked, made once and written to any number of clients (RFC 6455, 5.2)."""

from struct import Struct

_TEXT, _CLOSE, _PONG = 0x81, 0x88, 0x8A
NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011
TRY_AGAIN = 1013
"""Close codes: RFC 6455, section 7.4.1, and the IANA registry."""

_SHORT = Struct("!BB").pack
_MEDIUM = Struct("!BBH").pack
_LONG = Struct("!BBQ").pack
_CODE = Struct("!H").pack


def text_frame(text: str) -> bytes:
    return _frame(_TEXT, text.encode())


def close_frame(code: int) -> bytes:
    return _frame(_CLOSE, _CODE(code))


def pong_frame(payload: bytes) -> bytes:
    """The answer to a websocket PING; ``payload`` has at most 125 bytes."""
    return _frame(_PONG, payload)


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return _SHORT(first, length) + payload
    if length < 0x10000:
        return _MEDIUM(first, 126, length) + payload
    return _LONG(first, 127, length) + payload
