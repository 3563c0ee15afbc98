"""The incoming side of a websocket: reads frames from the connection and gives them to the session."""

import asyncio

from chatcore_websocket.incoming import FrameError
from chatcore_websocket.session import WebsocketSession

from .frame_reader import FrameReader

FRAMES_PER_TURN = 16
"""Frames of a client that are read in one turn of the event loop."""
BYTES_PER_TURN = 64 * 1024
"""Bytes of a client that are read in one turn of the event loop; the frame that exceeds them is read to its end."""
DISCARDED_MAX = 64 * 1024
"""Bytes that are read after the server has ended the session, in search of the client's close frame."""


class Receiver:
    """Reads the bytes of an aiohttp connection in place of aiohttp (`RequestHandler.set_parser`).

    It reads a bounded number of frames in a turn of the event loop, so that other clients get their turn. It pauses the
    transport while the session's queue is full.
    """

    def __init__(self, session: WebsocketSession, transport: asyncio.Transport) -> None:
        self._session = session
        self._transport = transport
        self._reader = FrameReader()
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self._discarded = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take received bytes; called by aiohttp.

        Returns:
            False and no bytes: the connection continues, and nothing is left for aiohttp.
        """
        if self._session.is_ended:
            self._discarded += len(data)
        if self._discarded > DISCARDED_MAX:
            self._pause()  # for ever: the writer aborts the connection soon
        elif self._session.is_receiving:
            self._reader.feed(data)
            if self._is_paused:
                self._transport.pause_reading()  # aiohttp has resumed it
            else:
                self._read()
        return False, b""

    def feed_eof(self) -> None:
        """Note that the connection is lost; called by aiohttp."""
        self._session.connection_lost()

    def _read(self, _: object = None) -> None:
        """Read frames until none is complete, the turn's bounds are reached, or the session's queue is full."""
        reader, session = self._reader, self._session
        reader.message_max = session.message_max
        frames_left, pending_min = FRAMES_PER_TURN, reader.pending - BYTES_PER_TURN
        try:
            while session.is_receiving:
                if not frames_left or reader.pending < pending_min:
                    self._pause()
                    self._loop.call_soon(self._read)  # runs after the callbacks of other connections
                    return
                if (event := reader.read()) is None:
                    break
                if queue_space := session.receive(event):
                    self._pause()
                    queue_space.add_done_callback(self._read)
                    return
                frames_left -= 1
        except FrameError as error:
            session.fail(error)
        self._resume()

    def _pause(self) -> None:
        self._is_paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        was_paused, self._is_paused = self._is_paused, False
        if was_paused and not self._transport.is_closing():
            self._transport.resume_reading()
