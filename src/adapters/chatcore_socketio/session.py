"""One WebSocket, from its opening or upgrade to its end."""

import asyncio
from collections.abc import Callable

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator, Credentials
from chatcore.ports.pushes import Bye

from .close_codes import GOING_AWAY, NORMAL, POLICY
from .dispatcher import Dispatcher
from .doorway import Doorway, Stage
from .frame_allowance import FrameAllowance
from .frame_reader import MESSAGE_MAX, WHOLE_MAX, Close, Event, Fragment, FrameError, Ping, TruncatedText
from .frames import text_frame
from .heartbeat import Heartbeat
from .line import Line
from .packets import CLOSE, MESSAGE, NOOP, PONG, PROBE, PROBED, UPGRADE
from .timing import Timing

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
        line: Line,
        timing: Timing,
        doorway: Doorway | None,
    ) -> None:
        """``doorway`` is the polling session that is to move over to the WebSocket; None where there was none."""
        self.is_receiving = True
        """False once nothing that arrives is looked at any more."""
        self._doorway = doorway
        self._line = line
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connect_by = doorway.deadline if doorway else now + timing.connect_within
        self._allowance = FrameAllowance(self._loop.time)
        self._dispatcher = Dispatcher(
            chat, authenticate, credentials, line, timing.connect_within, self._allowance.spend
        )
        self._inbox = self._dispatcher.inbox
        self._connection = self._dispatcher.connection
        self._heartbeat = Heartbeat(line, self._inbox, timing, now)
        self._client_left = asyncio.Event()
        line.on_end = self._drop

    async def run(self) -> None:
        """Serve the client until the WebSocket has ended."""
        dispatching = asyncio.create_task(self._dispatcher.run())
        try:
            await self._client_left.wait()
        finally:
            self._dispatcher.end()
            await self._leave(dispatching)

    def tick(self, now: float) -> None:
        """Look at the deadlines; called every now and then."""
        if self._line.ended:
            return
        if now >= self._connect_by and not self._dispatcher.has_met_connect:
            self._line.end(POLICY)
        elif not self._heartbeat.goes_on(now):
            if self._inbox.holds_up_the_reader:
                self._connection.close(Bye(code="slow"))
            else:
                self._line.end(GOING_AWAY)

    def close(self, bye: Bye) -> None:
        """Tell the client why, and end."""
        if self._doorway is None:
            self._connection.close(bye)
        else:
            self._line.end(GOING_AWAY)

    def _drop(self) -> None:
        """It has been ended from here: what was received and not executed yet is not executed any more."""
        self._inbox.clear()
        self._dispatcher.end()

    async def _leave(self, dispatching: asyncio.Task[None]) -> None:
        """The client has gone: what it sent before it went is still executed, as far as that takes no time."""
        try:
            await asyncio.wait({dispatching}, timeout=self._timing.close_within)
        finally:
            dispatching.cancel()
            self._line.end(NORMAL)
            self._line.hang_up()
        await asyncio.wait({dispatching})

    # What arrives.

    @property
    def has_ended(self) -> bool:
        """Whether nothing that arrives has an effect any more, except the client's close frame."""
        return self._line.ended or not self.is_receiving

    @property
    def message_max(self) -> int:
        """Bytes of a message that is answered, and above which the connection ends at once."""
        return MESSAGE_MAX if self._dispatcher.is_connected else WHOLE_MAX

    def take(self, event: Event) -> asyncio.Future[None] | None:
        """Take a frame. A future that is returned is done when the next one may be taken.

        What arrives after an end from here is dropped, except the client's close frame.
        """
        if isinstance(event, Close):
            self._end_receiving()
        elif self._line.ended:
            pass
        elif isinstance(event, str):
            self._take_text(event)
            if self._inbox.full:
                self._heartbeat.hold_up()
                return self._inbox.room()
        elif isinstance(event, bytes):
            self._refuse()
        elif not (isinstance(event, Fragment) and event.size >= FRAGMENT_MIN):
            self._count_idle_frame()
            if isinstance(event, Ping):
                self._line.pong(event.payload)
        return None

    def fail(self, error: FrameError) -> None:
        """The client broke the WebSocket protocol: end with the error's code and discard what still arrives."""
        self.is_receiving = False
        self._line.end(error.code)

    def lose(self) -> None:
        """The connection is lost."""
        self._line.lose()
        self._end_receiving()

    def _end_receiving(self) -> None:
        self.is_receiving = False
        self._client_left.set()

    def _take_text(self, text: str) -> None:
        if self._doorway is not None:
            self._move_over(self._doorway, text)
            return
        kind = text[:1]
        if isinstance(text, TruncatedText):
            self._inbox.put(text)
        elif kind == MESSAGE:
            self._inbox.put(text[1:])
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
        if not self._allowance.spend():
            self._refuse()

    def _refuse(self) -> None:
        """The client does not speak Engine.IO as the contract has it."""
        if self._doorway is None:
            self._connection.close(Bye(code="protocol"))
        else:
            self._line.end(POLICY)

    def _move_over(self, doorway: Doorway, text: str) -> None:
        """Take a step from polling to the WebSocket: a probe, which some clients leave out, then the upgrade."""
        if text == PROBE and doorway.stage is Stage.WAITING:
            self._line.write(text_frame(PROBED))
            doorway.move(Stage.MOVING)
        elif text == UPGRADE and doorway.stage in (Stage.WAITING, Stage.MOVING):
            self._doorway = None
            doorway.move(Stage.MOVED)
            if doorway.connect is not None:
                self._inbox.put(doorway.connect)
        else:
            self._refuse()
