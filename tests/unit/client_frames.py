"""Frames as a WebSocket client sends them, valid or not."""

import struct

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
MASK = b"\x12\x34\x56\x78"


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length_size: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return one frame. ``length_size`` (1, 2 or 8 bytes) and ``length`` replace the values that fit the payload."""
    length = len(payload) if length is None else length
    masked = 0x80 if mask is not None else 0
    first = (0x80 if final else 0) | reserved << 4 | opcode
    size = length_size or (1 if length < 126 else 2 if length < 0x10000 else 8)
    if size == 1:
        header = struct.pack("!BB", first, masked | length)
    elif size == 2:
        header = struct.pack("!BBH", first, masked | 126, length)
    else:
        header = struct.pack("!BBQ", first, masked | 127, length)
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
