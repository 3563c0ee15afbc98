"""A chatcore `Connection` over a websocket that speaks Socket.IO."""

from chatcore.errors import ChatError
from chatcore.ports.pushes import Bye
from chatcore.protocol import Object
from chatcore_websocket.close_codes import NORMAL
from chatcore_websocket.connection import WebsocketConnection
from chatcore_websocket.writer import Writer

from .packets import acknowledgement, connect_error, connected, disconnect, event, push_packet


class SocketConnection(WebsocketConnection):
    """Writes the pushes and answers of one socket as packets. An answer is the acknowledgement of its event."""

    __slots__ = ()

    _refusal_code = NORMAL

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer, push_packet)

    def refuse_namespace(self, error: ChatError, namespace: str | None) -> None:
        """Answer CONNECT to another namespace with an error. The websocket goes on."""
        self._write(connect_error(error, namespace))

    def _accept(self) -> None:
        self._write(connected(self._id))

    def _answer_text(self, request: int | str, answer: Object) -> str:
        return acknowledgement(request, answer)

    def _write_bye(self, bye: Bye) -> None:
        # Official clients reconnect after a close frame, and do not after a DISCONNECT.
        self._write(event("bye", bye))
        if not bye.resumable:
            self._write(disconnect())

    def _write_refusal(self, error: ChatError) -> None:
        self._write(connect_error(error))
