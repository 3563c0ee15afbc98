"""The outgoing side of a websocket, as a session uses it. Each way to serve websockets has a writer of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from chatcore.outbox import DRAINED_BELOW as DRAINED_BELOW
from chatcore.outbox import UNSENT_MAX as UNSENT_MAX


class Writer(ABC):
    """Writes text messages to one websocket, and ends it. No method raises, and only `drained` waits.

    Attributes:
        is_ended: whether `end` has been called; nothing is written any more.
        on_end: called once, when the server ends the websocket.
        on_overflow: called once, when more than `UNSENT_MAX` bytes are unsent after a write; must end the websocket.
    """

    __slots__ = ("is_ended", "on_end", "on_overflow")

    def __init__(self) -> None:
        self.is_ended: bool = False
        self.on_end: Callable[[], None] | None = None
        self.on_overflow: Callable[[], None] | None = None

    @staticmethod
    @abstractmethod
    def encode(text: str) -> bytes:
        """Return a text message as `write` takes it. A push is encoded once for all its receivers."""

    @abstractmethod
    def write(self, message: bytes) -> None:
        """Write a message that `encode` has returned, after the earlier ones. After `end` it is dropped."""

    @abstractmethod
    def write_ping(self) -> bool:
        """Send a WebSocket ping. Returns False if the web server sends pings by itself; nothing is sent then."""

    @abstractmethod
    def write_pong(self, payload: bytes) -> None:
        """Answer a WebSocket ping, unless the web server has answered it."""

    @abstractmethod
    async def drained(self) -> None:
        """Wait until fewer than `DRAINED_BELOW` bytes are unsent, or the websocket has ended."""

    @abstractmethod
    def end(self, code: int) -> None:
        """Close the websocket after the last message, and cut it soon if that takes too long.

        Further calls do nothing.

        Args:
            code: the close code.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection once everything has been sent, or soon. Calls no callback."""

    @abstractmethod
    def connection_lost(self) -> None:
        """Note that the connection is lost."""

    def _overflow(self) -> None:
        """Call `on_overflow`, once: it writes a last message."""
        on_overflow, self.on_overflow = self.on_overflow, None
        if on_overflow:
            on_overflow()

    def _drop_callbacks(self) -> None:
        self.on_end = self.on_overflow = None
