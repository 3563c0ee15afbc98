"""One WebSocket, from its opening or upgrade to its end."""

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
from .polling_handshake import PollingSession, Stage
from .writer import Writer

FRAGMENT_MIN = 1024
"""Bytes of a fragment of a message, below which it counts as a frame without a command."""


class Session:
    """What a client sends comes in by `take`, which never waits; a dispatcher's task takes it in its order.

    So PONG and the client's end are noticed while a command runs.
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
        """``polling`` is the polling session that is to move over to the WebSocket; None where there was none."""
        self.is_receiving = True
        """False once nothing that arrives is looked at any more."""
        self._polling = polling
        self._writer = writer
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connect_by = polling.deadline if polling else now + timing.connect_within
        self._idle_frames = IdleFrameLimit(self._loop.time)
        self._handler = PacketHandler(
            chat, authenticate, credentials, writer, timing.connect_within, self._idle_frames.spend
        )
        self._queue = self._handler.queue
        self._connection = self._handler.connection
        self._heartbeat = Heartbeat(writer, self._queue, timing, now)
        self._client_left = asyncio.Event()
        writer.on_end = self._drop

    async def run(self) -> None:
        """Serve the client until the WebSocket has ended."""
        dispatching = asyncio.create_task(self._handler.run())
        try:
            await self._client_left.wait()
        finally:
            self._handler.end()
            await self._leave(dispatching)

    def tick(self, now: float) -> None:
        """Look at the deadlines; called every now and then."""
        if self._writer.ended:
            return
        if now >= self._connect_by and not self._handler.has_met_connect:
            self._writer.end(POLICY)
        elif not self._heartbeat.goes_on(now):
            if self._queue.holds_up_the_reader:
                self._connection.close(Bye(code="slow"))
            else:
                self._writer.end(GOING_AWAY)

    def close(self, bye: Bye) -> None:
        """Tell the client why, and end."""
        if self._polling is None:
            self._connection.close(bye)
        else:
            self._writer.end(GOING_AWAY)

    def _drop(self) -> None:
        """It has been ended from here: what was received and not executed yet is not executed any more."""
        self._queue.clear()
        self._handler.end()

    async def _leave(self, dispatching: asyncio.Task[None]) -> None:
        """The client has gone: what it sent before it went is still executed, as far as that takes no time."""
        try:
            await asyncio.wait({dispatching}, timeout=self._timing.close_within)
        finally:
            dispatching.cancel()
            self._writer.end(NORMAL)
            self._writer.hang_up()
        await asyncio.wait({dispatching})

    # What arrives.

    @property
    def has_ended(self) -> bool:
        """Whether nothing that arrives has an effect any more, except the client's close frame."""
        return self._writer.ended or not self.is_receiving

    @property
    def message_max(self) -> int:
        """Bytes of a message that is answered, and above which the connection ends at once."""
        return MESSAGE_MAX if self._handler.is_connected else WHOLE_MAX

    def take(self, event: Event) -> asyncio.Future[None] | None:
        """Take a frame. A future that is returned is done when the next one may be taken.

        What arrives after an end from here is dropped, except the client's close frame.
        """
        if isinstance(event, Close):
            self._end_receiving()
        elif self._writer.ended:
            pass
        elif isinstance(event, str):
            self._take_text(event)
            if self._queue.full:
                self._heartbeat.hold_up()
                return self._queue.room()
        elif isinstance(event, bytes):
            self._refuse()
        elif not (isinstance(event, Fragment) and event.size >= FRAGMENT_MIN):
            self._count_idle_frame()
            if isinstance(event, Ping):
                self._writer.pong(event.payload)
        return None

    def fail(self, error: FrameError) -> None:
        """The client broke the WebSocket protocol: end with the error's code and discard what still arrives."""
        self.is_receiving = False
        self._writer.end(error.code)

    def lose(self) -> None:
        """The connection is lost."""
        self._writer.lose()
        self._end_receiving()

    def _end_receiving(self) -> None:
        self.is_receiving = False
        self._client_left.set()

    def _take_text(self, text: str) -> None:
        if self._polling is not None:
            self._move_over(self._polling, text)
            return
        kind = text[:1]
        if isinstance(text, TruncatedText):
            self._queue.put(text)
        elif kind == MESSAGE:
            self._queue.put(text[1:])
        elif kind == PONG:
            self._count_idle_frame()
            self._heartbeat.pong(self._loop.time())
        elif kind == CLOSE:
            self._end_receiving()
        elif kind == NOOP:
            self._count_idle_frame()
        else:
            self._refuse()

    def _count_idle_frame(self) -> None:
        """Count a frame that carries no command, and end a client that sends too many."""
        if not self._idle_frames.spend():
            self._refuse()

    def _refuse(self) -> None:
        """The client does not speak Engine.IO as the contract has it."""
        if self._polling is None:
            self._connection.close(Bye(code="protocol"))
        else:
            self._writer.end(POLICY)

    def _move_over(self, polling: PollingSession, text: str) -> None:
        """Take a step from polling to the WebSocket: a probe, which some clients leave out, then the upgrade."""
        if text == PROBE and polling.stage is Stage.WAITING:
            self._writer.write(text_frame(PROBED))
            polling.move(Stage.MOVING)
        elif text == UPGRADE and polling.stage in (Stage.WAITING, Stage.MOVING):
            self._polling = None
            polling.move(Stage.MOVED)
            if polling.connect is not None:
                self._queue.put(polling.connect)
        else:
            self._refuse()
