"""An Engine.IO session over one websocket."""

from functools import partial

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator
from chatcore.ports.pushes import Bye
from chatcore_websocket.close_codes import GOING_AWAY, POLICY
from chatcore_websocket.deadlines import Timing
from chatcore_websocket.handler import Handshake
from chatcore_websocket.incoming import TruncatedText
from chatcore_websocket.session import WebsocketSession
from chatcore_websocket.writer import Writer

from .packet_handler import PacketHandler
from .packets import CLOSE, MESSAGE, NOOP, PING, PONG, PROBE, PROBED, UPGRADE
from .polling_handshake import PollingSession, PollingState


class SocketioSession(WebsocketSession):
    """A client's session over one websocket that speaks Socket.IO.

    Args:
        chat: that the client's commands go to.
        authenticate: asked at CONNECT.
        handshake: that opened the websocket.
        writer: of the websocket.
        timing: the durations of the session.
        polling: the polling session that the client upgrades; None if the client started with the websocket.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        handshake: Handshake,
        writer: Writer,
        timing: Timing,
        polling: PollingSession | None,
    ) -> None:
        handler = PacketHandler(chat, authenticate, handshake, writer, timing.connect_timeout)
        super().__init__(handler, writer, timing, partial(_send_ping, writer), polling.deadline if polling else None)
        self._polling = polling
        """The polling session until it is upgraded, then None."""

    def close(self, bye: Bye) -> None:
        """End the websocket with a ``bye``, or before the upgrade with a close code only."""
        if self._polling is None:
            super().close(bye)
        else:
            self._writer.end(GOING_AWAY)

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

    def _end_for_violation(self) -> None:
        if self._polling is None:
            super()._end_for_violation()
        else:
            self._writer.end(POLICY)

    def _upgrade(self, polling: PollingSession, text: str) -> None:
        """Take a step of the upgrade: the probe, which some clients leave out, then UPGRADE."""
        if text == PROBE and polling.state is PollingState.POLLING:
            _write(self._writer, PROBED)
            polling.change_state(PollingState.PROBED)
        elif text == UPGRADE and polling.state in (PollingState.POLLING, PollingState.PROBED):
            self._polling = None
            polling.change_state(PollingState.UPGRADED)
            if polling.connect is not None:
                self._queue.put(polling.connect)
        else:
            self._end_for_violation()


def _send_ping(writer: Writer) -> bool:
    _write(writer, PING)
    return True


def _write(writer: Writer, packet: str) -> None:
    writer.write(writer.encode(packet))
