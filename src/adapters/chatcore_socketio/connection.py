"""A chatcore `Connection` over a websocket that speaks Socket.IO."""

import logging
from collections.abc import Mapping

from chatcore.errors import ChatError
from chatcore.ids import new_id
from chatcore.ports.pushes import Bye, ByeCode, Push
from chatcore.protocol import Object

from .frames import GOING_AWAY, INTERNAL, NORMAL, PROTOCOL_ERROR, TRY_AGAIN, text_frame
from .packets import acknowledgement, connect_error, connected, disconnect, event, push_frame
from .writer import Writer

CLOSE_CODES: Mapping[ByeCode, int] = {
    "slow": TRY_AGAIN,
    "shutdown": GOING_AWAY,
    "expired": GOING_AWAY,
    "signed_out": NORMAL,
    "kicked": NORMAL,
    "protocol": PROTOCOL_ERROR,
}

log = logging.getLogger(__name__)


class SocketConnection:
    """Writes the pushes and answers of one socket. No method raises, and only `drained` waits."""

    __slots__ = ("_id", "_is_connect_answered", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._id = new_id()
        self._writer = writer
        self._is_connect_answered = False
        writer.on_overflow = self._close_slow_consumer

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        if self._writer.is_ended:
            return
        if not self._is_connect_answered:
            # The first push is `ready`. Only now is it certain that CONNECT succeeds.
            self._is_connect_answered = True
            self._writer.write(text_frame(connected(self._id)))
        try:
            frame = push.encoded(push_frame)
        except Exception:
            log.exception("push encoding failed: event=%s", push.event)
            self._writer.end(INTERNAL)
            return
        self._writer.write(frame)

    def answer(self, ack_id: int, answer: Object) -> None:
        """Write an answer as the acknowledgement of the event that has the id ``ack_id``."""
        if self._writer.is_ended:
            return
        try:
            frame = text_frame(acknowledgement(ack_id, answer))
        except Exception:
            log.exception("answer encoding failed")
            self._writer.end(INTERNAL)
            return
        self._writer.write(frame)

    def refuse_connect(self, error: ChatError, namespace: str | None = None) -> None:
        """Answer CONNECT with an error. A ``namespace`` of None is the default one."""
        self._writer.write(text_frame(connect_error(error, namespace)))

    def close(self, bye: Bye) -> None:
        # Official clients reconnect after a close frame, and do not after a DISCONNECT.
        self._writer.write(text_frame(event("bye", bye)))
        if not bye.resumable:
            self._writer.write(text_frame(disconnect()))
        self._writer.end(CLOSE_CODES[bye.code])

    async def drained(self) -> None:
        await self._writer.drained()

    def _close_slow_consumer(self) -> None:
        self.close(Bye(code="slow"))
