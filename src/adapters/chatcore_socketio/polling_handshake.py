"""The polling handshake: the requests of a client with default options before its websocket is open.

The client opens a session with GET, sends CONNECT with POST, and keeps a GET waiting while it opens the websocket. It
sends UPGRADE only once that GET has been answered. So from the probe on, each GET is answered with NOOP.

Source: Engine.IO protocol 4, sections "HTTP long-polling" and "Upgrade".
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from engineio import packet as engineio
from socketio import packet as socketio

from chatcore.domain.client_networks import client_network
from chatcore.errors import ChatError, Invalid, Unavailable
from chatcore.ids import new_id
from chatcore.log_throttle import LogThrottle
from chatcore_websocket.connection_limits import ConnectionCounter
from chatcore_websocket.deadlines import DeadlineTicker
from chatcore_websocket.websockets import CLOSING

from .packets import CLOSE, NOOP, empty_packet, received_engine_packet

POSTED_PACKETS_MAX = 16
"""Packets in one POST."""
SEPARATOR = "\x1e"
"""The character between the packets of one POST."""

NO_WEBSOCKET = (
    "No websocket was opened in time, and polling carries the handshake only. Let the proxies on the way pass "
    'websocket upgrades, or use the client option transports: ["websocket"].'
)

log: Final = logging.getLogger(__name__)


class PollingState(Enum):
    POLLING = auto()
    """The client has not probed a websocket."""
    PROBED = auto()
    """The client has probed its websocket, and has not sent UPGRADE."""
    UPGRADED = auto()
    """The session uses its websocket."""
    ENDED = auto()
    """The session has ended without a websocket."""


class PollingSession:
    """One session that a client has opened by polling, until it is upgraded or ends.

    Args:
        address: the client's address.
        deadline: the deadline of the upgrade, in the event loop's time.
        on_end: called when the session is upgraded or ends.
    """

    def __init__(self, address: str | None, *, deadline: float, on_end: Callable[["PollingSession"], None]) -> None:
        self.sid: str = new_id()
        self.address = address
        self.deadline = deadline
        self.connect: str | None = None
        """CONNECT as the client posted it. It is handled after the upgrade."""
        self.state: PollingState = PollingState.POLLING
        self._on_end = on_end
        self._has_answer = asyncio.Event()
        """Set when a GET can be answered: in every state except `POLLING`."""
        self._is_polled = False
        self._has_websocket = False
        self._final_answer: str | ChatError = NOOP

    def attach_websocket(self) -> None:
        """Note that a websocket continues this session.

        Raises:
            Invalid: The session has or had a websocket; there is one attempt.
        """
        if self._has_websocket or self.state is not PollingState.POLLING:
            raise Invalid("This session already has a websocket.", field="sid")
        self._has_websocket = True

    def change_state(self, state: PollingState) -> None:
        self.state = state
        if state is PollingState.POLLING:
            self._has_answer.clear()
        else:
            self._has_answer.set()
        if state in (PollingState.UPGRADED, PollingState.ENDED):
            self._on_end(self)

    def end(self, answer: str | ChatError) -> None:
        """End the session, unless it is upgraded or has ended.

        Args:
            answer: the answer to the waiting GET: a packet, or an error. Official clients of every version connect
                again after such an error, and do not after a CONNECT_ERROR.
        """
        if self.state in (PollingState.POLLING, PollingState.PROBED):
            self._final_answer = answer
            self.change_state(PollingState.ENDED)

    def post(self, body: str) -> None:
        """Take the packets of a POST: CONNECT, or CLOSE.

        Raises:
            Invalid: The body carries something else.
        """
        packets = body.split(SEPARATOR)
        if len(packets) > POSTED_PACKETS_MAX:
            raise Invalid("Too many packets.")
        for text in packets:
            self._take(text)

    def _take(self, text: str) -> None:
        try:
            packet = received_engine_packet(text)
        except ValueError:
            raise Invalid("Not a valid Engine.IO packet.") from None
        if packet.packet_type == engineio.CLOSE:
            self.end(NOOP)
        elif packet.packet_type == engineio.MESSAGE and not packet.binary and self.connect is None:
            _check_connect(packet.data)
            self.connect = packet.data
        else:
            raise Invalid("Polling accepts one CONNECT packet and nothing else; upgrade to websocket.")

    async def poll(self) -> str | ChatError:
        """Wait for the answer to a GET: a packet, or the error with which the session ended.

        A second GET at the same time ends the session, as in Engine.IO's own server: the first is answered with CLOSE.
        """
        if self._is_polled:
            self.end(CLOSE)
            return Invalid("Another GET of this session is waiting; the session was closed.", field="sid")
        self._is_polled = True
        try:
            await self._has_answer.wait()
        finally:
            self._is_polled = False
        return self._final_answer if self.state is PollingState.ENDED else NOOP


class PollingSessions:
    """All polling sessions of a server that are not upgraded, by their ``sid``.

    Args:
        counter: limits the number of sessions.
        ticker: checks the deadlines of the sessions.
        timeout: seconds from the start of a session to its upgrade.
    """

    def __init__(self, counter: ConnectionCounter, ticker: DeadlineTicker, *, timeout: float) -> None:
        self._counter = counter
        self._ticker = ticker
        self._timeout = timeout
        self._sessions: dict[str, PollingSession] = {}
        self._log_throttle = LogThrottle()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, address: str | None) -> PollingSession:
        """Open a session for a client.

        Raises:
            RateLimited: There are too many sessions.
        """
        self._counter.acquire(address)

        def forget(session: PollingSession) -> None:
            if self._sessions.pop(session.sid, None):
                self._counter.release(address)
            if not self._sessions:
                self._ticker.remove(self)

        session = PollingSession(address, deadline=asyncio.get_running_loop().time() + self._timeout, on_end=forget)
        self._sessions[session.sid] = session
        self._ticker.add(self)
        return session

    def find(self, sid: str) -> PollingSession:
        """Return a session by its ``sid``.

        Raises:
            Invalid: There is no such session, or it has been upgraded.
        """
        if session := self._sessions.get(sid):
            return session
        raise Invalid("Unknown session, or the session already uses its websocket.", field="sid")

    def end(self, sid: str | None, error: ChatError) -> None:
        """End the session ``sid`` with an error. Does nothing if there is no such session or it has been upgraded."""
        if sid is not None and (session := self._sessions.get(sid)):
            session.end(error)

    def check_deadlines(self, now: float) -> None:
        for session in tuple(self._sessions.values()):
            if now >= session.deadline:
                self._expire(session)

    def close(self) -> None:
        """End all sessions, because the server stops."""
        for session in tuple(self._sessions.values()):
            session.end(Unavailable(CLOSING))

    def _expire(self, session: PollingSession) -> None:
        if session.connect is not None and self._log_throttle.admits(client_network(session.address)):
            log.warning(
                "Polling session ended without a websocket: address=%s seconds=%g. Let the proxies between client and "
                'server pass websocket upgrades; a client that needs no polling sets transports: ["websocket"].',
                session.address,
                self._timeout,
            )
        session.end(Unavailable(NO_WEBSOCKET))


def _check_connect(text: str) -> None:
    """Raise `Invalid` if a Socket.IO packet is not CONNECT."""
    packet = empty_packet()
    try:
        packet.decode(text)
    except ValueError:
        raise Invalid("Not a valid Socket.IO packet.") from None
    if packet.packet_type != socketio.CONNECT:
        raise Invalid("The first packet must be CONNECT.")
