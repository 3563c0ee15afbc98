"""The polling handshake: what a client with default options does by HTTP before its websocket is open.

The client opens a session by GET, sends CONNECT by POST, and keeps a GET waiting while it opens the websocket. It only
upgrades once that GET has been answered; so from the probe on every GET is answered with NOOP.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto

from engineio import packet as engine
from socketio import packet as socketio

from chatcore.domain.addresses import client_network
from chatcore.errors import ChatError, Invalid, Unavailable
from chatcore.ids import new_id
from chatcore.ports.log_throttle import LogThrottle

from .connection_limits import ConnectionCount
from .deadlines import DeadlineTicker
from .packets import CLOSE, NOOP, EnginePacket, Packet

PACKETS_MAX = 16
"""In one POST."""
SEPARATOR = "\x1e"

NO_WEBSOCKET = (
    "No websocket was opened in time, and polling carries the handshake only. Let the proxies on the way pass "
    'websocket upgrades, or use the client option transports: ["websocket"].'
)
CLOSING = "The server is about to end."

log = logging.getLogger(__name__)


class Stage(Enum):
    WAITING = auto()
    """for the websocket."""
    MOVING = auto()
    """The websocket has been probed."""
    MOVED = auto()
    """The websocket stands."""
    GONE = auto()
    """The session has ended without a websocket."""


class PollingSession:
    """One polling session, until its websocket stands or the session ends without one."""

    def __init__(self, address: str | None, *, deadline: float, over: Callable[["PollingSession"], None]) -> None:
        self.sid = new_id()
        self.address = address
        self.deadline = deadline
        self.connect: str | None = None
        """CONNECT as it came by POST; it is carried out on the websocket."""
        self.stage = Stage.WAITING
        self._over = over
        self._moved = asyncio.Event()
        self._is_polled = False
        self._is_claimed = False
        self._last: str | ChatError = NOOP

    def claim(self) -> None:
        """A websocket wants to be its continuation; there is one try. Raises `Invalid`."""
        if self._is_claimed or self.stage is not Stage.WAITING:
            raise Invalid("This session already has a websocket.", field="sid")
        self._is_claimed = True

    def move(self, stage: Stage) -> None:
        self.stage = stage
        if stage is Stage.WAITING:
            self._moved.clear()
        else:
            self._moved.set()
        if stage in (Stage.MOVED, Stage.GONE):
            self._over(self)

    def end(self, last: str | ChatError) -> None:
        """End the session, unless its websocket stands. A waiting GET is answered with the packet or error ``last``.

        An error fails the GET. Official clients of every version then start again by themselves, which they do not
        after a `connect_error`.
        """
        if self.stage in (Stage.WAITING, Stage.MOVING):
            self._last = last
            self.move(Stage.GONE)

    def post(self, body: str) -> None:
        """Take what a POST carries: CONNECT, or the end. Raises `Invalid` for everything else."""
        packets = body.split(SEPARATOR)
        if len(packets) > PACKETS_MAX:
            raise Invalid("Too many packets.")
        for text in packets:
            self._take(text)

    def _take(self, text: str) -> None:
        try:
            packet = EnginePacket(encoded_packet=text)
        except ValueError:
            raise Invalid("Not a valid Engine.IO packet.") from None
        if packet.packet_type == engine.CLOSE:
            self.end(NOOP)
        elif packet.packet_type == engine.MESSAGE and not packet.binary and self.connect is None:
            _check_connect(packet.data)
            self.connect = packet.data
        else:
            raise Invalid("Polling accepts one CONNECT packet and nothing else; upgrade to websocket.")

    async def poll(self) -> str | ChatError:
        """The answer to a GET, once there is one: a packet, or the error with which the session ended.

        A second GET at the same time ends the session, as in Engine.IO's own server: the first is answered with CLOSE.
        """
        if self._is_polled:
            self.end(CLOSE)
            return Invalid("Another GET of this session is waiting; the session was closed.", field="sid")
        self._is_polled = True
        try:
            await self._moved.wait()
        finally:
            self._is_polled = False
        return self._last if self.stage is Stage.GONE else NOOP


class PollingSessions:
    """All polling_sessions, by their session's id."""

    def __init__(self, cap: ConnectionCount, ticker: DeadlineTicker, *, within: float) -> None:
        self._count = cap
        self._ticker = ticker
        self._within = within
        self._polling_sessions: dict[str, PollingSession] = {}
        self._throttle = LogThrottle()

    def __len__(self) -> int:
        return len(self._polling_sessions)

    def open(self, address: str | None) -> PollingSession:
        """A new one. Raises `RateLimited`."""
        self._count.enter(address)

        def over(polling: PollingSession) -> None:
            if self._polling_sessions.pop(polling.sid, None):
                self._count.leave(address)
            if not self._polling_sessions:
                self._ticker.forget(self)

        polling = PollingSession(address, deadline=asyncio.get_running_loop().time() + self._within, over=over)
        self._polling_sessions[polling.sid] = polling
        self._ticker.watch(self)
        return polling

    def find(self, sid: str) -> PollingSession:
        """Raises `Invalid`."""
        if found := self._polling_sessions.get(sid):
            return found
        raise Invalid("Unknown session, or the session already uses its websocket.", field="sid")

    def end(self, sid: str | None, error: ChatError) -> None:
        """End the session ``sid``, if there is such a session without a websocket."""
        if sid is not None and (polling := self._polling_sessions.get(sid)):
            polling.end(error)

    def tick(self, now: float) -> None:
        for polling in tuple(self._polling_sessions.values()):
            if now >= polling.deadline:
                self._expire(polling)

    def close(self) -> None:
        for polling in tuple(self._polling_sessions.values()):
            polling.end(Unavailable(CLOSING))

    def _expire(self, polling: PollingSession) -> None:
        if polling.connect is not None and self._throttle.admits(client_network(polling.address)):
            log.warning(
                "Polling session ended without a websocket: address=%s seconds=%g. Let the proxies between client and "
                'server pass websocket upgrades; a client that needs no polling sets transports: ["websocket"].',
                polling.address,
                self._within,
            )
        polling.end(Unavailable(NO_WEBSOCKET))


def _check_connect(text: str) -> None:
    """Raises `Invalid` for anything but CONNECT."""
    packet = Packet()
    try:
        packet.decode(text)
    except ValueError:
        raise Invalid("Not a valid Socket.IO packet.") from None
    if packet.packet_type != socketio.CONNECT:
        raise Invalid("The first packet must be CONNECT.")
