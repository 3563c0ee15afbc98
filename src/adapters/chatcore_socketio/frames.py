"""WebSocket frames that the server sends (RFC 6455, section 5.2), and close codes.

A frame carries a whole message and is not masked, so the same bytes can be written to any number of clients.
"""

from struct import Struct

# Close codes: RFC 6455, section 7.4.1, and the IANA registry of close codes.
NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011
TRY_AGAIN = 1013

# The first byte of a frame: the FIN bit and the opcode.
_TEXT, _CLOSE, _PONG = 0x81, 0x88, 0x8A
_SHORT = Struct("!BB").pack
_MEDIUM = Struct("!BBH").pack
_LONG = Struct("!BBQ").pack
_CODE = Struct("!H").pack


def text_frame(text: str) -> bytes:
    """Return a text message as a frame."""
    return _frame(_TEXT, text.encode())


def close_frame(code: int) -> bytes:
    """Return a close frame with a close code and no reason."""
    return _frame(_CLOSE, _CODE(code))


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a WebSocket ping with this ``payload``, of at most 125 bytes."""
    return _frame(_PONG, payload)


def _frame(first_byte: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return _SHORT(first_byte, length) + payload
    if length < 0x10000:
        return _MEDIUM(first_byte, 126, length) + payload
    return _LONG(first_byte, 127, length) + payload
