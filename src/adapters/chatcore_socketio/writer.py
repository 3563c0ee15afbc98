"""The writing side of one websocket: whole frames, straight to the transport, with a bound on what is outstanding."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter

from .frames import close_frame, pong_frame

OUTSTANDING_MAX = 1024 * 1024
"""Bytes that the kernel has not taken; a client with more outstanding is cut."""
DRAINED = 256 * 1024
"""Bytes below which large answers go on."""
GATHERED_MAX = 64 * 1024
"""Bytes that are not held back for what else is to be written in the same turn of the loop."""

log = logging.getLogger(__name__)


class Flusher:
    """Writes what its writers gathered in a turn of the event loop at the end of that turn, with one call for each.

    An answer and the entry that follows it, or all entries of a batch, leave together.
    """

    __slots__ = ("_writers",)

    def __init__(self) -> None:
        self._writers: list[Writer] = []

    def add(self, writer: "Writer") -> None:
        if not self._writers:
            asyncio.get_running_loop().call_soon(self._flush)
        self._writers.append(writer)

    def _flush(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            try:
                writer.flush()
            except Exception:
                log.exception("a writer could not be written to")
                writer.abort()


class Writer:
    """One websocket to write to, and to end.

    aiohttp's own writer makes a frame for every receiver and may wait for a slow one. Here nothing waits, and every
    frame goes to the transport in one piece, so that both kinds of writing may meet on it.
    """

    __slots__ = (
        "_close_within",
        "_flusher",
        "_gathered",
        "_gathered_size",
        "_is_lost",
        "_killer",
        "_stream",
        "_transport",
        "ended",
        "on_end",
        "on_overflow",
    )

    def __init__(
        self, transport: asyncio.Transport, stream: AbstractStreamWriter, flusher: Flusher, close_within: float
    ) -> None:
        transport.set_write_buffer_limits(high=DRAINED - 1, low=DRAINED // 2)
        self.ended = False
        self.on_end: Callable[[], None] | None = None
        """Called once, when it is ended from here."""
        self.on_overflow: Callable[[], None] | None = None
        """Called when more than 1 MiB is outstanding after a write; it is to end the writer."""
        self._transport = transport
        self._stream = stream
        self._flusher = flusher
        self._close_within = close_within
        self._gathered: list[bytes] = []
        self._gathered_size = 0
        self._is_lost = False
        self._killer: asyncio.TimerHandle | None = None

    def write(self, frame: bytes) -> None:
        """Write a frame, unless the writer has ended."""
        if self.ended:
            return
        if not self._gathered:
            self._flusher.add(self)
        self._gathered.append(frame)
        self._gathered_size += len(frame)
        if self._gathered_size > GATHERED_MAX:
            self.flush()

    def flush(self) -> None:
        """Hand to the transport what is gathered."""
        gathered, transport = self._gathered, self._transport
        if not gathered:
            return
        if not transport.is_closing():
            transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))
        gathered.clear()
        self._gathered_size = 0
        if transport.get_write_buffer_size() > OUTSTANDING_MAX and self.on_overflow and not self.ended:
            self.on_overflow()

    def pong(self, payload: bytes) -> None:
        self.write(pong_frame(payload))

    async def drained(self) -> None:
        """Return once less than 256 KiB is outstanding, or the writer has ended."""
        self.flush()
        transport = self._transport
        while not (self.ended or transport.is_closing()) and transport.get_write_buffer_size() >= DRAINED:
            try:
                await self._stream.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0)  # in case a transport forgets to pause what `drain` looks at

    def end(self, code: int) -> None:
        """Send a close frame, and abort the connection after ``close_within``. Further calls do nothing."""
        if self.ended:
            return
        self.write(close_frame(code))
        self.ended = True
        self.flush()
        self._kill_soon()
        if self.on_end:
            self.on_end()

    def hang_up(self) -> None:
        """Close the transport once everything written has gone out, or after ``close_within`` in any case."""
        self.on_end = self.on_overflow = None
        self.flush()
        self._transport.close()
        self._kill_soon()

    def lose(self) -> None:
        """The connection is lost: forget the timer that would have cut it."""
        self._is_lost = True
        if self._killer is not None:
            self._killer.cancel()

    def abort(self) -> None:
        """Close now; what is outstanding is lost."""
        self._transport.abort()

    def _kill_soon(self) -> None:
        if self._killer is None and not self._is_lost:
            self._killer = asyncio.get_running_loop().call_later(self._close_within, self._transport.abort)
