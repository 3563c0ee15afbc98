"""WebSocket frames that the server sends (RFC 6455, section 5.2).

A frame carries a whole message and is not masked, so the same bytes can be written to any number of clients.
"""

from struct import Struct

# The first byte of a frame: the FIN bit and the opcode.
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
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


def ping_frame() -> bytes:
    """Return a WebSocket ping without a payload."""
    return _frame(_PING, b"")


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
