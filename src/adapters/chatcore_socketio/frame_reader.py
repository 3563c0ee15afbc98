"""Reads a client's WebSocket frames (RFC 6455, section 5): bytes in, events out, no I/O."""

from typing import NamedTuple, TypeAlias

from .frames import INVALID_TEXT, PROTOCOL_ERROR, TOO_BIG

WHOLE_MAX = 64 * 1024
"""Bytes of a message that is kept whole."""
MESSAGE_MAX = 1024 * 1024
"""Bytes of a message; a larger one ends the connection."""
START_SIZE = 64
"""Bytes that are kept of a message above `WHOLE_MAX`."""

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _RESERVED, _MASKED = 0x80, 0x70, 0x80
_CONTROL_MAX = 125
_MASK_SIZE = 4
_UNMASKED = bytes(_MASK_SIZE)


class FrameError(Exception):
    """The client broke the protocol; ``code`` is the close code that says how. Nothing can be read any more."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class TruncatedText(str):
    """The first bytes of a text message above `WHOLE_MAX`. The rest was counted and discarded."""

    __slots__ = ()


class Fragment(NamedTuple):
    """A frame of a message that further frames continue."""

    size: int


class Ping(NamedTuple):
    payload: bytes


class Pong(NamedTuple):
    payload: bytes


class Close(NamedTuple):
    """The client's last frame; ``code`` is None where it gives no reason."""

    code: int | None


Event: TypeAlias = str | TruncatedText | bytes | Fragment | Ping | Pong | Close
"""A whole text message, the start of a long one, a binary message (also its start alone), or another frame."""


class FrameReader:
    """Parses the frames of one client.

    It keeps at most `WHOLE_MAX` bytes of an unfinished message. A message above that keeps `START_SIZE` bytes as soon
    as a frame's length shows its size, and the rest is discarded as it arrives.
    """

    __slots__ = (
        "_at",
        "_final",
        "_frame_size",
        "_kind",
        "_left",
        "_mask",
        "_message",
        "_opcode",
        "_received",
        "_size",
        "message_max",
    )

    def __init__(self) -> None:
        self.message_max = WHOLE_MAX
        """Bytes of a message, above which `read` raises `FrameError` 1009."""
        self._received = bytearray()
        self._at = 0
        """Bytes of ``_received`` that have been read."""
        self._mask: bytes | None = None
        """Mask for the next byte of the frame that is being read; None between two frames."""
        self._opcode = _CONTINUATION
        self._final = False
        self._frame_size = 0
        self._left = 0
        """Bytes of that frame that have not been read."""
        self._kind = _CONTINUATION
        """Opcode of the unfinished message."""
        self._message = bytearray()
        self._size = 0
        """Bytes of the unfinished message by its frames' lengths, kept or not."""

    @property
    def pending(self) -> int:
        """Number of received bytes that have not been read."""
        return len(self._received) - self._at

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrived."""
        self._received += data

    def read(self) -> Event | None:
        """Read one frame.

        Returns:
            None when the next frame has not arrived in full. What arrived of a text or binary frame has been taken.

        Raises:
            FrameError: The client broke the protocol. Neither `feed` nor `read` may follow.
        """
        if self._mask is not None or self._begin():
            event = self._read_control() if self._opcode >= _CLOSE else self._read_data()
            if event is not None:
                self._mask = None
                return event
        del self._received[: self._at]
        self._at = 0
        return None

    def _begin(self) -> bool:
        """Read a frame's header, unless a part of it is missing."""
        received, at = self._received, self._at
        available = len(received) - at
        if available < 2:
            return False
        first, second = received[at], received[at + 1]
        size = second & ~_MASKED
        extension = 0 if size < 126 else 2 if size == 126 else 8
        self._check_start(first, second)
        begin = at + 2 + extension + _MASK_SIZE
        if len(received) < begin:
            return False
        if extension:
            size = _extended(received[at + 2 : at + 2 + extension])
        self._opcode, self._final = first & 0x0F, bool(first & _FIN)
        self._frame_size = self._left = size
        if self._opcode < _CLOSE:
            self._begin_data(size)
        self._mask = bytes(received[begin - _MASK_SIZE : begin])
        self._at = begin
        return True

    def _check_start(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise FrameError(PROTOCOL_ERROR, "a reserved bit is set")
        if not second & _MASKED:
            raise FrameError(PROTOCOL_ERROR, "a frame is not masked")
        if opcode >= _CLOSE:
            if opcode > _PONG:
                raise FrameError(PROTOCOL_ERROR, "unknown opcode")
            if not first & _FIN or second & ~_MASKED > _CONTROL_MAX:
                raise FrameError(PROTOCOL_ERROR, "a control frame is fragmented or too long")
        elif opcode > _BINARY:
            raise FrameError(PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == _CONTINUATION) != (self._kind != _CONTINUATION):
            raise FrameError(PROTOCOL_ERROR, "a continuation is missing, or continues nothing")

    def _begin_data(self, size: int) -> None:
        if self._opcode != _CONTINUATION:
            self._kind = self._opcode
        self._size += size
        if self._size > self.message_max:
            raise FrameError(TOO_BIG, "a message is too large")
        if self._size > WHOLE_MAX:
            del self._message[START_SIZE:]

    def _read_control(self) -> Event | None:
        end = self._at + self._left
        if len(self._received) < end:
            return None
        payload = self._unmask(self._received[self._at : end])
        self._at = end
        if self._opcode == _CLOSE:
            return _close(payload)
        return Ping(payload) if self._opcode == _PING else Pong(payload)

    def _read_data(self) -> Event | None:
        piece = self._received[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        self._keep(piece)
        if self._left:
            self._turn_mask(len(piece))
            return None
        return self._end() if self._final else Fragment(self._frame_size)

    def _keep(self, piece: bytearray) -> None:
        if self._size > WHOLE_MAX:
            piece = piece[: START_SIZE - len(self._message)]
        if piece:
            self._message += self._unmask(piece)

    def _end(self) -> Event:
        message, kind, size = self._message, self._kind, self._size
        self._message, self._kind, self._size = bytearray(), _CONTINUATION, 0
        if kind == _BINARY:
            return bytes(message)
        if size > WHOLE_MAX:
            return TruncatedText(message.decode(errors="ignore"))
        try:
            return message.decode()
        except UnicodeDecodeError:
            raise FrameError(INVALID_TEXT, "a text message is not UTF-8") from None

    def _unmask(self, payload: bytearray) -> bytes:
        size, mask = len(payload), self._mask
        if mask is None or mask == _UNMASKED:
            return bytes(payload)
        key = (mask * (size // _MASK_SIZE + 1))[:size]
        # One operation on two large integers: a loop over bytes takes a hundred times as long.
        return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")

    def _turn_mask(self, size: int) -> None:
        """Let the mask begin at the byte behind the ``size`` bytes that were read."""
        if self._mask is not None:
            turn = size % _MASK_SIZE
            self._mask = self._mask[turn:] + self._mask[:turn]


def _extended(encoded: bytearray) -> int:
    """A frame's length from the 2 or 8 bytes that follow a header; RFC 6455 demands the shortest encoding."""
    size = int.from_bytes(encoded, "big")
    if size < (126 if len(encoded) == 2 else 0x10000) or size >> 63:
        raise FrameError(PROTOCOL_ERROR, "a frame's length is not encoded as it must be")
    return size


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(None)
    code = int.from_bytes(payload[:2], "big")  # below 256 where the second byte is missing
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_ERROR, "a close frame's code is not valid")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_TEXT, "a close frame's reason is not UTF-8") from None
    return Close(code)
