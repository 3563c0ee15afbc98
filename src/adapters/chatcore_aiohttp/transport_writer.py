"""The writer of a websocket in aiohttp: writes whole frames to the transport, with a bound on unsent bytes."""

import asyncio
import logging
from collections import deque
from typing import Final

from aiohttp.abc import AbstractStreamWriter

from chatcore_websocket.writer import DRAINED_BELOW, UNSENT_MAX, Writer

from .frames import close_frame, ping_frame, pong_frame, text_frame

BATCH_MAX = 64 * 1024
"""Bytes of a batch of frames; a larger batch is written before the end of the event loop's turn."""
FLUSHED_PER_TURN = 64
"""Writers that are flushed in one turn of the event loop."""

log: Final = logging.getLogger(__name__)


class Flusher:
    """Flushes the writers that have a batch at the end of the event loop's turn, with one system call for each batch.

    So an answer and the entry that follows it are sent together, and so are all entries of a room's batch. After
    `FLUSHED_PER_TURN` writers the next turn continues, and other clients are read in between. uvloop before 0.23 sends
    at the end of a turn, so the first of many receivers would wait until the batches of all of them are made.
    """

    __slots__ = ("_writers",)

    def __init__(self) -> None:
        self._writers: deque[TransportWriter] = deque()

    def add(self, writer: "TransportWriter") -> None:
        """Flush a writer at the end of this turn, or after those that wait already."""
        if not self._writers:
            asyncio.get_running_loop().call_soon(self._flush)
        self._writers.append(writer)

    def _flush(self) -> None:
        for _ in range(min(len(self._writers), FLUSHED_PER_TURN)):
            writer = self._writers.popleft()
            try:
                writer.flush()
            except Exception:
                log.exception("websocket write failed")
                writer.abort()
        if self._writers:
            asyncio.get_running_loop().call_soon(self._flush)


class TransportWriter(Writer):
    """Writes frames to one websocket, and ends it.

    aiohttp's own writer encodes a frame for each receiver, and may wait for a slow receiver. This writer takes encoded
    frames, and `write` never waits.

    Args:
        transport: the transport of the websocket.
        stream: aiohttp's writer of the same transport; `drained` waits on it.
        flusher: shared by all writers of a server.
        close_timeout: seconds from the start of a close until the transport is aborted.
    """

    __slots__ = (
        "_abort_timer",
        "_batch",
        "_batch_size",
        "_close_timeout",
        "_flusher",
        "_is_connection_lost",
        "_stream",
        "_transport",
    )

    def __init__(
        self, transport: asyncio.Transport, stream: AbstractStreamWriter, flusher: Flusher, close_timeout: float
    ) -> None:
        super().__init__()
        transport.set_write_buffer_limits(high=DRAINED_BELOW - 1, low=DRAINED_BELOW // 2)
        self._transport = transport
        self._stream = stream
        self._flusher = flusher
        self._close_timeout = close_timeout
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._is_connection_lost = False
        self._abort_timer: asyncio.TimerHandle | None = None

    @staticmethod
    def encode(text: str) -> bytes:
        return text_frame(text)

    def write(self, message: bytes) -> None:
        """Write a frame at the end of the event loop's turn. After `end` it is dropped."""
        if self.is_ended:
            return
        if not self._batch:
            self._flusher.add(self)
        self._batch.append(message)
        self._batch_size += len(message)
        if self._batch_size > BATCH_MAX:
            self.flush()

    def flush(self) -> None:
        """Write the batch of frames to the transport now."""
        batch, transport = self._batch, self._transport
        if not batch:
            return
        if not transport.is_closing():
            transport.write(batch[0] if len(batch) == 1 else b"".join(batch))
        batch.clear()
        self._batch_size = 0
        if transport.get_write_buffer_size() > UNSENT_MAX and not self.is_ended:
            self._overflow()

    def write_ping(self) -> bool:
        self.write(ping_frame())
        return True

    def write_pong(self, payload: bytes) -> None:
        self.write(pong_frame(payload))

    async def drained(self) -> None:
        """Wait until fewer than `DRAINED_BELOW` bytes are unsent, or the websocket has ended."""
        self.flush()
        transport = self._transport
        while not (self.is_ended or transport.is_closing()) and transport.get_write_buffer_size() >= DRAINED_BELOW:
            try:
                await self._stream.drain()
            except ConnectionError:
                return
            # `drain` returns at once if the transport has not paused the protocol; let the event loop run then too.
            await asyncio.sleep(0)

    def end(self, code: int) -> None:
        """Send a close frame as the last frame, and abort after ``close_timeout``. Further calls do nothing.

        Args:
            code: the close code.
        """
        if self.is_ended:
            return
        self.write(close_frame(code))
        self.is_ended = True
        self.flush()
        self._abort_later()
        if self.on_end:
            self.on_end()

    def close(self) -> None:
        """Close the transport once everything has been sent, or after ``close_timeout``. Calls no callback."""
        self._drop_callbacks()
        self.flush()
        self._transport.close()
        self._abort_later()

    def connection_lost(self) -> None:
        """Note that the connection is lost: there is nothing left to abort."""
        self._is_connection_lost = True
        if self._abort_timer is not None:
            self._abort_timer.cancel()

    def abort(self) -> None:
        """Close the transport now. Unsent bytes are lost."""
        self._transport.abort()

    def _abort_later(self) -> None:
        if self._abort_timer is None and not self._is_connection_lost:
            self._abort_timer = asyncio.get_running_loop().call_later(self._close_timeout, self._transport.abort)
