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
    """Where a socket's pushes and answers go. Nothing here waits or raises."""

    __slots__ = ("_greeted", "_id", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._id = new_id()
        self._writer = writer
        self._greeted = False
        writer.on_overflow = self._cut

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        if self._writer.ended:
            return
        if not self._greeted:
            # The first push is `ready`: now it is certain that CONNECT succeeds.
            self._greeted = True
            self._writer.write(text_frame(connected(self._id)))
        try:
            frame = push.encoded(push_frame)
        except Exception:
            log.exception("a push %s could not be written", push.event)
            self._writer.end(INTERNAL)
            return
        self._writer.write(frame)

    def answer(self, number: int, answer: Object) -> None:
        """Acknowledge the event that asked for it as ``number``."""
        if self._writer.ended:
            return
        try:
            frame = text_frame(acknowledgement(number, answer))
        except Exception:
            log.exception("an answer could not be written")
            self._writer.end(INTERNAL)
            return
        self._writer.write(frame)

    def refuse(self, error: ChatError, namespace: str | None = None) -> None:
        """Answer CONNECT with an error."""
        self._writer.write(text_frame(connect_error(error, namespace)))

    def close(self, bye: Bye) -> None:
        # After a DISCONNECT official clients do not come back by themselves; after a bare close they do.
        self._writer.write(text_frame(event("bye", bye)))
        if not bye.resumable:
            self._writer.write(text_frame(disconnect()))
        self._writer.end(CLOSE_CODES[bye.code])

    async def drained(self) -> None:
        await self._writer.drained()

    def _cut(self) -> None:
        self.close(Bye(code="slow"))
