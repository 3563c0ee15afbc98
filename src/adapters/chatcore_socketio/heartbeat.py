"""The heartbeat of Engine.IO protocol 4: the server sends PING, and the client answers with PONG."""

from .deadlines import Timing
from .frames import text_frame
from .packet_handler import PacketQueue
from .packets import PING
from .writer import Writer

_PING_FRAME = text_frame(PING)


class Heartbeat:
    """Sends PINGs to a client, and finds out when the client no longer answers them.

    While the client's queue is full, the receiver reads nothing, and a PONG may be among the bytes that it has not
    read. So the PONG gets another `Timing.ping_timeout` as long as commands are taken from the queue.

    All times are the event loop's, in seconds.
    """

    __slots__ = ("_due", "_is_pong_awaited", "_queue", "_taken_before", "_timing", "_was_reading_paused", "_writer")

    def __init__(self, writer: Writer, queue: PacketQueue, timing: Timing, now: float) -> None:
        self._writer = writer
        self._queue = queue
        self._timing = timing
        self._due = now + timing.ping_interval
        """When the next PING is due, or the awaited PONG."""
        self._is_pong_awaited = False
        self._was_reading_paused = False
        """Whether reading has been paused at some time since the PONG's deadline was last set."""
        self._taken_before = 0
        """How many packets had been taken from the queue when the PONG's deadline was last set."""

    def receive_pong(self, now: float) -> None:
        """Plan the next PING. A PONG that is not awaited has no effect."""
        if self._is_pong_awaited:
            self._is_pong_awaited = False
            self._due = now + self._timing.ping_interval

    def reading_paused(self) -> None:
        """Note that the queue is full and the receiver pauses."""
        self._was_reading_paused = True

    def check(self, now: float) -> bool:
        """Send a PING if one is due. Returns False if the awaited PONG is overdue."""
        if now < self._due:
            return True
        if not self._is_pong_awaited:
            self._writer.write(_PING_FRAME)
            self._is_pong_awaited = True
        elif not (self._was_reading_paused and self._queue.taken > self._taken_before):
            return False
        self._due = now + self._timing.ping_timeout
        self._was_reading_paused = self._queue.is_receiver_waiting
        self._taken_before = self._queue.taken
        return True
