"""Feeds a session with the frames that its client sends."""

import asyncio

from .frame_reader import FrameError, FrameReader
from .session import Session

FRAMES_PER_TURN = 16
"""Frames that are read of a connection before other connections have their turn."""
BYTES_PER_TURN = 64 * 1024
"""Bytes, after which the same holds; a frame is read to its end."""
DISCARDED_MAX = 64 * 1024
"""Bytes that are read of a client after the session has ended; a close frame may stand in them."""


class Receiver:
    """Takes over the bytes of an aiohttp connection (`RequestHandler.set_parser`).

    It reads a bounded number of frames in a turn of the event loop, and stops reading while the session waits.
    """

    def __init__(self, session: Session, transport: asyncio.Transport) -> None:
        self._session = session
        self._transport = transport
        self._reader = FrameReader()
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self._discarded = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by aiohttp with what has arrived. Returns that the connection goes on, and no unread rest."""
        if self._session.has_ended:
            self._discarded += len(data)
        if self._discarded > DISCARDED_MAX:
            self._pause()  # for ever: the line cuts the client soon
        elif self._session.is_receiving:
            self._reader.feed(data)
            if self._is_paused:
                self._transport.pause_reading()  # aiohttp has resumed it
            else:
                self._read()
        return False, b""

    def feed_eof(self) -> None:
        """Called by aiohttp when the connection is lost."""
        self._session.lose()

    def _read(self, _: object = None) -> None:
        """Read what has arrived, up to a turn's bounds or until the session waits."""
        reader, session = self._reader, self._session
        reader.message_max = session.message_max
        frames, rest = FRAMES_PER_TURN, reader.pending - BYTES_PER_TURN
        try:
            while session.is_receiving:
                if not frames or reader.pending < rest:
                    self._pause()
                    self._loop.call_soon(self._read)  # after what other connections have to do
                    return
                if (event := reader.read()) is None:
                    break
                if waits := session.take(event):
                    self._pause()
                    waits.add_done_callback(self._read)
                    return
                frames -= 1
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
