"""One websocket, from its opening or upgrade to its end."""

import asyncio
from collections.abc import Callable

from aiohttp import WSMsgType, web
from engineio import packet as kinds

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator, Credentials
from chatcore.ports.connection import Bye

from .dispatcher import Dispatcher
from .doorway import Doorway, Stage
from .frames import text_frame
from .heartbeat import Heartbeat
from .line import GOING_AWAY, NORMAL, POLICY, Line
from .packets import PROBE, PROBED, UPGRADE, EnginePacket
from .timing import Timing


class Session:
    """A reader that never waits for a command, and a dispatcher that takes what was read in its order.

    They are two tasks, so that PONG and the client's end are noticed while a command runs.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        credentials: Callable[[str | None], Credentials],
        websocket: web.WebSocketResponse,
        line: Line,
        timing: Timing,
        doorway: Doorway | None,
    ) -> None:
        """``doorway`` is the polling session that is to move over to the websocket; None where there was none."""
        self._websocket = websocket
        self._doorway = doorway
        self._line = line
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connect_by = doorway.deadline if doorway else now + timing.connect_within
        self._dispatcher = Dispatcher(chat, authenticate, credentials, line, timing.connect_within)
        self._inbox = self._dispatcher.inbox
        self._connection = self._dispatcher.connection
        self._heartbeat = Heartbeat(line, self._inbox, timing, now)
        line.on_end = self._drop

    async def run(self) -> None:
        """Serve the client until the websocket has ended."""
        dispatching = asyncio.create_task(self._dispatcher.run())
        try:
            if self._doorway is None or await self._moves_over(self._doorway):
                await self._read()
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
        if self._doorway is None or self._doorway.stage is Stage.MOVED:
            self._connection.close(bye)
        else:
            self._line.end(GOING_AWAY)

    def abort(self) -> None:
        """End now."""
        self._line.abort()

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

    async def _moves_over(self, doorway: Doorway) -> bool:
        """Whether the client comes over from polling: it probes, lets its last GET end, and says so."""
        if await self._frame() == PROBE:
            self._line.write(text_frame(PROBED))
            doorway.move(Stage.MOVING)
            last = await self._frame()
            if doorway.stage is Stage.MOVING:
                doorway.move(Stage.MOVED if last == UPGRADE else Stage.WAITING)
        if doorway.stage is not Stage.MOVED:
            self._line.end(POLICY)
            return False
        if doorway.connect is not None:
            self._inbox.put(doorway.connect)
        return True

    async def _read(self) -> None:
        """Read until the websocket ends. After an end from here what still comes is dropped."""
        while (text := await self._frame()) is not None:
            if self._line.ended:
                continue
            if not self._take(text):
                return
            if self._inbox.full:
                self._heartbeat.hold_up()
                await self._inbox.room()

    async def _frame(self) -> str | None:
        """The next text frame; None when the websocket ends."""
        while True:
            message = await self._websocket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    return str(message.data)
                case WSMsgType.BINARY:
                    self.close(Bye(code="protocol"))
                case WSMsgType.PING:
                    self._line.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case _:
                    return None

    def _take(self, text: str) -> bool:
        """Sort an Engine.IO packet; False when it is the client's last."""
        try:
            packet = EnginePacket(encoded_packet=text)
        except ValueError:
            self._connection.close(Bye(code="protocol"))
            return True
        kind = packet.packet_type
        if kind == kinds.MESSAGE and not packet.binary:
            self._inbox.put(packet.data)
        elif kind == kinds.PONG:
            self._heartbeat.pong(self._loop.time())
        elif kind == kinds.CLOSE:
            return False
        elif kind != kinds.NOOP:
            self._connection.close(Bye(code="protocol"))
        return True
