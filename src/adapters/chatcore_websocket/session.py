"""One websocket, from its opening to its end."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from chatcore.ports.pushes import Bye

from .close_codes import GOING_AWAY, NORMAL, POLICY
from .deadlines import Timing
from .handler import Handler
from .heartbeat import Heartbeat
from .incoming import MESSAGE_MAX, WHOLE_MAX, Close, Event, Fragment, FrameError, Ping
from .writer import Writer

FRAGMENT_MIN = 1024
"""Bytes of a fragment of a message; a smaller one counts as an idle frame."""


class WebsocketSession(ABC):
    """The session of one client over one websocket.

    The web server's side calls `receive` for each frame, which never waits. The handler's task takes messages from a
    queue. So the heartbeat and the end of the connection are noticed while a command runs.

    Args:
        handler: of the client's messages.
        writer: of the websocket.
        timing: the durations of the session.
        send_ping: of the `Heartbeat`; no method of the session, which would make a reference cycle.
        connect_deadline: for the request to connect, in the event loop's time; by default `Timing.connect_timeout` from
            now.
    """

    def __init__(
        self,
        handler: Handler,
        writer: Writer,
        timing: Timing,
        send_ping: Callable[[], bool],
        connect_deadline: float | None = None,
    ) -> None:
        self.is_receiving: bool = True
        """Whether frames are still read."""
        self._writer = writer
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connect_deadline = now + timing.connect_timeout if connect_deadline is None else connect_deadline
        self._handler = handler
        self._queue = handler.queue
        self._idle_frames = handler.idle_frames
        self._connection = handler.connection
        self._heartbeat = Heartbeat(send_ping, self._queue, timing, now)
        self._client_left = asyncio.Event()
        writer.on_end = self._drop_queued

    async def run(self) -> None:
        """Serve the client until the websocket has ended. If the task is cancelled, because the web server stops, the
        websocket ends with ``bye`` and code ``shutdown``."""
        handling = asyncio.create_task(self._handler.run())
        try:
            await self._client_left.wait()
        except asyncio.CancelledError:
            self.close(Bye(code="shutdown"))
            raise
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
        """End the websocket with a ``bye``."""
        self._connection.close(bye)

    def _drop_queued(self) -> None:
        """Drop queued messages, because the server has ended the websocket."""
        self._queue.clear()
        self._handler.end()

    async def _finish(self, handling: asyncio.Task[None]) -> None:
        """Handle the packets that the client has sent, for ``close_timeout`` at most, and close the connection."""
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
        """Bytes of the largest message; a larger message ends the websocket at once.

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

    @abstractmethod
    def _receive_text(self, text: str) -> None:
        """Take a text message."""

    def _end_receiving(self) -> None:
        self.is_receiving = False
        self._client_left.set()

    def _count_idle_frame(self) -> None:
        """Count an idle frame, and end the websocket of a client that sends too many."""
        if not self._idle_frames.take():
            self._end_for_violation()

    def _end_for_violation(self) -> None:
        """End the websocket of a client that does not follow the wire contract."""
        self._connection.close(Bye(code="protocol"))
