"""Parses the WebSocket frames of a client (RFC 6455, section 5), without I/O."""

from chatcore_websocket.close_codes import INVALID_TEXT, PROTOCOL_ERROR, TOO_BIG
from chatcore_websocket.incoming import (
    START_MAX,
    WHOLE_MAX,
    Close,
    Event,
    Fragment,
    FrameError,
    Ping,
    Pong,
    TruncatedText,
)

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _RESERVED_BITS, _MASK_BIT = 0x80, 0x70, 0x80
_CONTROL_MAX = 125
_MASK_SIZE = 4
_UNMASKED = bytes(_MASK_SIZE)


class FrameReader:
    """Parses the frames of one client.

    It keeps at most `WHOLE_MAX` bytes of an unfinished message. Once a frame's length shows that a message is larger,
    only its first `START_MAX` bytes are kept, and the rest is discarded as it arrives.
    """

    __slots__ = (
        "_frame_left",
        "_frame_size",
        "_is_final",
        "_mask",
        "_message",
        "_message_opcode",
        "_message_size",
        "_opcode",
        "_position",
        "_received",
        "message_max",
    )

    def __init__(self) -> None:
        self.message_max: int = WHOLE_MAX
        """Bytes of the largest message; for a larger message `read` raises `FrameError` with code 1009."""
        self._received = bytearray()
        self._position = 0
        """Index of the first byte of ``_received`` that has not been read."""
        self._mask: bytes | None = None
        """The mask, rotated to the next byte of the frame that is being read; None between two frames."""
        self._opcode = _CONTINUATION
        self._is_final = False
        self._frame_size = 0
        self._frame_left = 0
        """Bytes of the frame's payload that have not been read."""
        self._message_opcode = _CONTINUATION
        """Opcode of the unfinished message."""
        self._message = bytearray()
        self._message_size = 0
        """Bytes of the unfinished message by its frames' headers, whether they are kept or discarded."""

    @property
    def pending(self) -> int:
        """Number of bytes that were fed and have not been read."""
        return len(self._received) - self._position

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._received += data

    def read(self) -> Event | None:
        """Read one frame.

        Returns:
            None if the next frame is not complete. The received part of a text or binary frame has been read then.

        Raises:
            FrameError: The client violated RFC 6455. Do not call `feed` or `read` again.
        """
        if self._mask is not None or self._read_header():
            event = self._read_control() if self._opcode >= _CLOSE else self._read_data()
            if event is not None:
                self._mask = None
                return event
        del self._received[: self._position]
        self._position = 0
        return None

    def _read_header(self) -> bool:
        """Read a frame's header. Returns False if it is not complete."""
        received, start = self._received, self._position
        available = len(received) - start
        if available < 2:
            return False
        first, second = received[start], received[start + 1]
        size = second & ~_MASK_BIT
        extension_size = 0 if size < 126 else 2 if size == 126 else 8
        self._check_header(first, second)
        payload_start = start + 2 + extension_size + _MASK_SIZE
        if len(received) < payload_start:
            return False
        if extension_size:
            size = _extended_length(received[start + 2 : start + 2 + extension_size])
        self._opcode, self._is_final = first & 0x0F, bool(first & _FIN)
        self._frame_size = self._frame_left = size
        if self._opcode < _CLOSE:
            self._start_data_frame(size)
        self._mask = bytes(received[payload_start - _MASK_SIZE : payload_start])
        self._position = payload_start
        return True

    def _check_header(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED_BITS:
            raise FrameError(PROTOCOL_ERROR, "a reserved bit is set")
        if not second & _MASK_BIT:
            raise FrameError(PROTOCOL_ERROR, "a frame is not masked")
        if opcode >= _CLOSE:
            if opcode > _PONG:
                raise FrameError(PROTOCOL_ERROR, "unknown opcode")
            if not first & _FIN or second & ~_MASK_BIT > _CONTROL_MAX:
                raise FrameError(PROTOCOL_ERROR, "a control frame is fragmented or too long")
        elif opcode > _BINARY:
            raise FrameError(PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == _CONTINUATION) != (self._message_opcode != _CONTINUATION):
            raise FrameError(PROTOCOL_ERROR, "a continuation is missing, or continues nothing")

    def _start_data_frame(self, size: int) -> None:
        if self._opcode != _CONTINUATION:
            self._message_opcode = self._opcode
        self._message_size += size
        if self._message_size > self.message_max:
            raise FrameError(TOO_BIG, "a message is too large")
        if self._message_size > WHOLE_MAX:
            del self._message[START_MAX:]

    def _read_control(self) -> Event | None:
        end = self._position + self._frame_left
        if len(self._received) < end:
            return None
        payload = self._unmask(self._received[self._position : end])
        self._position = end
        if self._opcode == _CLOSE:
            return _close(payload)
        return Ping(payload) if self._opcode == _PING else Pong(payload)

    def _read_data(self) -> Event | None:
        piece = self._received[self._position : self._position + self._frame_left]
        self._position += len(piece)
        self._frame_left -= len(piece)
        self._collect(piece)
        if self._frame_left:
            self._rotate_mask(len(piece))
            return None
        return self._finish_message() if self._is_final else Fragment(self._frame_size)

    def _collect(self, piece: bytearray) -> None:
        if self._message_size > WHOLE_MAX:
            piece = piece[: START_MAX - len(self._message)]
        if piece:
            self._message += self._unmask(piece)

    def _finish_message(self) -> Event:
        message, opcode, size = self._message, self._message_opcode, self._message_size
        self._message, self._message_opcode, self._message_size = bytearray(), _CONTINUATION, 0
        if opcode == _BINARY:
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
        # XOR of two large integers is far faster than a loop over bytes.
        return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")

    def _rotate_mask(self, size: int) -> None:
        """Rotate the mask by the ``size`` bytes that were read."""
        if self._mask is not None:
            turn = size % _MASK_SIZE
            self._mask = self._mask[turn:] + self._mask[:turn]


def _extended_length(encoded: bytearray) -> int:
    """Return the length in the 2 or 8 bytes of an extended header.

    RFC 6455, section 5.2: the shortest encoding must be used, and the most significant bit must be 0.
    """
    size = int.from_bytes(encoded, "big")
    if size < (126 if len(encoded) == 2 else 0x10000) or size >> 63:
        raise FrameError(PROTOCOL_ERROR, "a frame's length is not validly encoded")
    return size


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(None)
    code = int.from_bytes(payload[:2], "big")  # a single byte gives a code below 256, which is not valid
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_ERROR, "a close frame's code is not valid")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_TEXT, "a close frame's reason is not UTF-8") from None
    return Close(code)
