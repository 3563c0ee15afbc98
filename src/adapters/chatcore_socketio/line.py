"""The writing side of one websocket: whole frames, straight to the transport, with a bound on what is outstanding."""

import asyncio
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter

from .frames import close_frame, pong_frame

OUTSTANDING_MAX = 1024 * 1024
"""Bytes that the kernel has not taken; a client with more outstanding is cut."""
DRAINED = 256 * 1024
"""Bytes below which large answers go on."""

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011
TRY_AGAIN = 1013
"""Codes of a websocket's end (RFC 6455, 7.4.1)."""


class Line:
    """One websocket to write to, and to end.

    aiohttp's own writer makes a frame for every receiver and may wait for a slow one. Here nothing waits, and every
    frame goes to the transport in one piece, so that both kinds of writing may meet on it.
    """

    __slots__ = ("_close_within", "_killer", "_transport", "_writer", "ended", "on_end")

    def __init__(self, transport: asyncio.Transport, writer: AbstractStreamWriter, close_within: float) -> None:
        transport.set_write_buffer_limits(high=DRAINED - 1, low=DRAINED // 2)
        self.ended = False
        self.on_end: Callable[[], None] | None = None
        """Called once, when it is ended from here."""
        self._transport = transport
        self._writer = writer
        self._close_within = close_within
        self._killer: asyncio.TimerHandle | None = None

    def write(self, frame: bytes) -> bool:
        """Write a frame, unless the line has ended. False when more than 1 MiB is outstanding now."""
        transport = self._transport
        if self.ended or transport.is_closing():
            return True
        transport.write(frame)
        return transport.get_write_buffer_size() <= OUTSTANDING_MAX

    def pong(self, payload: bytes) -> bool:
        return self.write(pong_frame(payload))

    async def drained(self) -> None:
        """Return once less than 256 KiB is outstanding, or the line has ended."""
        transport = self._transport
        while not (self.ended or transport.is_closing()) and transport.get_write_buffer_size() >= DRAINED:
            try:
                await self._writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0)  # in case a transport forgets to pause what `drain` looks at

    def end(self, code: int) -> None:
        """Say that this is the end, and cut the line when the client does not follow soon. Further calls do nothing."""
        if self.ended:
            return
        self.write(close_frame(code))
        self.ended = True
        self._kill_soon()
        if self.on_end:
            self.on_end()

    def hang_up(self) -> None:
        """Nobody reads from here any more: close when what is written has gone out, or soon in any case."""
        self._transport.close()
        self._kill_soon()

    def abort(self) -> None:
        """Close now; what is outstanding is lost."""
        self._transport.abort()

    def _kill_soon(self) -> None:
        if self._killer is None:
            self._killer = asyncio.get_running_loop().call_later(self._close_within, self._transport.abort)
