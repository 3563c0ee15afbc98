"""A writer of a websocket over a transport that holds all bytes."""

import asyncio

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter

from chatcore_aiohttp.transport_writer import Flusher, TransportWriter


class HoldingTransport(asyncio.Transport):
    """A transport that keeps all bytes unsent until `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = BaseProtocol(asyncio.get_running_loop())
        self.protocol.connection_made(self)
        self.pieces: list[bytes] = []
        """The bytes of each call of `write`."""
        self.aborted = asyncio.Event()
        self._held = 0
        self._high = self._low = 0
        self._is_closing = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high, self._low = high or 0, low or 0

    def get_write_buffer_size(self) -> int:
        return self._held

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))
        self._held += len(data)
        if self._held > self._high and not self.protocol.writing_paused:
            self.protocol.pause_writing()

    def release(self, size: int) -> None:
        self._held -= size
        if self._held <= self._low and self.protocol.writing_paused:
            self.protocol.resume_writing()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True
        self.aborted.set()

    def lose(self) -> None:
        self._is_closing = True
        self.protocol.connection_lost(None)


def writer_over(
    transport: HoldingTransport, flusher: Flusher | None = None, close_timeout: float = 600
) -> TransportWriter:
    stream = StreamWriter(transport.protocol, asyncio.get_running_loop())
    return TransportWriter(transport, stream, flusher or Flusher(), close_timeout)
