"""Feeds a session with the frames that its client sends."""

import asyncio

from .frame_reader import FrameError, FrameReader
from .session import Session


class Receiver:
    """Takes over the bytes of an aiohttp connection (`RequestHandler.set_parser`).

    It stops reading while the session waits.
    """

    def __init__(self, session: Session, transport: asyncio.Transport) -> None:
        self._session = session
        self._transport = transport
        self._reader = FrameReader()
        self._is_paused = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by aiohttp with what has arrived. Returns that the connection goes on, and no unread rest."""
        if self._session.is_receiving:
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
        reader, session = self._reader, self._session
        reader.message_max = session.message_max
        try:
            while session.is_receiving:
                event = reader.read()
                if event is None:
                    self._resume()
                    return
                if waits := session.take(event):
                    self._pause()
                    waits.add_done_callback(self._read)
                    return
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
