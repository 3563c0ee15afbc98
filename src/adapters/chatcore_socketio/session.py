"""One websocket, from its opening to its end."""

import asyncio
from collections.abc import Callable

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator, Credentials
from chatcore.ports.pushes import Bye

from .connection_limits import IdleFrameLimit
from .deadlines import Timing
from .frame_reader import MESSAGE_MAX, WHOLE_MAX, Close, Event, Fragment, FrameError, Ping, TruncatedText
from .frames import GOING_AWAY, NORMAL, POLICY, text_frame
from .heartbeat import Heartbeat
from .packet_handler import PacketHandler
from .packets import CLOSE, MESSAGE, NOOP, PONG, PROBE, PROBED, UPGRADE
from .polling_handshake import PollingSession, PollingState
from .writer import Writer

FRAGMENT_MIN = 1024
"""Bytes of a fragment of a message; a smaller one counts as an idle frame."""


class SocketioSession:
    """An Engine.IO session over one websocket.

    The receiver calls `receive` for each frame, which never waits. The handler's task takes packets from a queue. So
    PONG and the end of the connection are noticed while a command runs.

    Args:
        chat: that the client's commands go to.
        authenticate: asked at CONNECT.
        credentials: makes the credentials of the client's request with a token.
        writer: of the websocket.
        timing: the durations of the session.
        polling: the polling session that the client upgrades; None if the client started with the websocket.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        credentials: Callable[[str | None], Credentials],
        writer: Writer,
        timing: Timing,
        polling: PollingSession | None,
    ) -> None:
        self.is_receiving = True
        """Whether frames are still read."""
        self._polling = polling
        """The polling session until it is upgraded, then None."""
        self._writer = writer
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connect_deadline = polling.deadline if polling else now + timing.connect_timeout
        self._idle_frames = IdleFrameLimit(self._loop.time)
        self._handler = PacketHandler(
            chat, authenticate, credentials, writer, timing.connect_timeout, self._idle_frames.take
        )
        self._queue = self._handler.queue
        self._connection = self._handler.connection
        self._heartbeat = Heartbeat(writer, self._queue, timing, now)
        self._client_left = asyncio.Event()
        writer.on_end = self._drop_queued

    async def run(self) -> None:
        """Serve the client until the websocket has ended."""
        handling = asyncio.create_task(self._handler.run())
        try:
            await self._client_left.wait()
        finally:
            self._handler.end()
            await self._finish(handling)

    def check_deadlines(self, now: float) -> None:
        if self._writer.is_ended:
            return
        if now >= self._connect_deadline and not self._handler.has_received_connect:
            self._writer.end(POLICY)
        elif not self._heartbeat.check(now):
            if self._queue.is_receiver_waiting:
                self._connection.close(Bye(code="slow"))
            else:
                self._writer.end(GOING_AWAY)

    def close(self, bye: Bye) -> None:
        """End the websocket with a ``bye``; before the upgrade with a close code only."""
        if self._polling is None:
            self._connection.close(bye)
        else:
            self._writer.end(GOING_AWAY)

    def _drop_queued(self) -> None:
        """Drop queued packets, because the server has ended the websocket."""
        self._queue.clear()
        self._handler.end()

    async def _finish(self, handling: asyncio.Task[None]) -> None:
        """Handle what the client sent before it left, for ``close_timeout`` at most, and close the connection."""
        try:
            await asyncio.wait({handling}, timeout=self._timing.close_timeout)
        finally:
            handling.cancel()
            self._writer.end(NORMAL)
            self._writer.close()
        await asyncio.wait({handling})

    # Frames of the client.

    @property
    def is_ended(self) -> bool:
        """Whether frames have no effect any more, except the client's close frame."""
        return self._writer.is_ended or not self.is_receiving

    @property
    def message_max(self) -> int:
        """Bytes of a message, above which the websocket is ended at once.

        Above `WHOLE_MAX` only connected clients get an answer, so only they may send more.
        """
        return MESSAGE_MAX if self._handler.is_connected else WHOLE_MAX

    def receive(self, event: Event) -> asyncio.Future[None] | None:
        """Take a frame. After the server's end only the client's close frame has an effect.

        Returns:
            None, or a future to wait for before the next frame is read, because the queue is full.
        """
        if isinstance(event, Close):
            self._end_receiving()
        elif self._writer.is_ended:
            pass
        elif isinstance(event, str):
            self._receive_text(event)
            if self._queue.is_full:
                self._heartbeat.reading_paused()
                return self._queue.space()
        elif isinstance(event, bytes):
            self._end_for_violation()
        elif not (isinstance(event, Fragment) and event.size >= FRAGMENT_MIN):
            self._count_idle_frame()
            if isinstance(event, Ping):
                self._writer.write_pong(event.payload)
        return None

    def fail(self, error: FrameError) -> None:
        """End the websocket after a violation of RFC 6455, and read no more frames."""
        self.is_receiving = False
        self._writer.end(error.code)

    def connection_lost(self) -> None:
        """Note that the connection is lost."""
        self._writer.connection_lost()
        self._end_receiving()

    def _end_receiving(self) -> None:
        self.is_receiving = False
        self._client_left.set()

    def _receive_text(self, text: str) -> None:
        if self._polling is not None:
            self._upgrade(self._polling, text)
            return
        packet_type = text[:1]
        if isinstance(text, TruncatedText):
            self._queue.put(text)
        elif packet_type == MESSAGE:
            self._queue.put(text[1:])
        elif packet_type == PONG:
            self._count_idle_frame()
            self._heartbeat.receive_pong(self._loop.time())
        elif packet_type == CLOSE:
            self._end_receiving()
        elif packet_type == NOOP:
            self._count_idle_frame()
        else:
            self._end_for_violation()

    def _count_idle_frame(self) -> None:
        """Count an idle frame, and end the websocket of a client that sends too many."""
        if not self._idle_frames.take():
            self._end_for_violation()

    def _end_for_violation(self) -> None:
        """End the websocket of a client that does not follow the wire contract."""
        if self._polling is None:
            self._connection.close(Bye(code="protocol"))
        else:
            self._writer.end(POLICY)

    def _upgrade(self, polling: PollingSession, text: str) -> None:
        """Take a step of the upgrade: the probe, which some clients leave out, then UPGRADE."""
        if text == PROBE and polling.state is PollingState.POLLING:
            self._writer.write(text_frame(PROBED))
            polling.change_state(PollingState.PROBED)
        elif text == UPGRADE and polling.state in (PollingState.POLLING, PollingState.PROBED):
            self._polling = None
            polling.change_state(PollingState.UPGRADED)
            if polling.connect is not None:
                self._queue.put(polling.connect)
        else:
            self._end_for_violation()
