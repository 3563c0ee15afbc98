"""Engine.IO's heartbeat: the server sends PING, and only a PONG that is awaited counts."""

from .deadlines import Timing
from .frames import text_frame
from .packet_handler import PacketQueue
from .packets import PING
from .writer import Writer

_PING = text_frame(PING)


class Heartbeat:
    """Whether the client of a writer is still there. Times are those of the loop's monotonic clock."""

    __slots__ = ("_awaited", "_due", "_held_up", "_queue", "_taken", "_timing", "_writer")

    def __init__(self, writer: Writer, queue: PacketQueue, timing: Timing, now: float) -> None:
        self._writer = writer
        self._queue = queue
        self._timing = timing
        self._due = now + timing.ping_interval
        self._awaited = False
        self._held_up = False
        self._taken = 0

    def pong(self, now: float) -> None:
        if self._awaited:
            self._awaited = False
            self._due = now + self._timing.ping_interval

    def hold_up(self) -> None:
        """The queue is full and the reader waits: a PONG may stand in what it has not read."""
        self._held_up = True

    def goes_on(self, now: float) -> bool:
        """Send a PING when it is time. False when the awaited PONG has not come in time."""
        if now < self._due:
            return True
        if not self._awaited:
            self._writer.write(_PING)
            self._awaited = True
        elif not (self._held_up and self._queue.taken > self._taken):
            return False
        self._due = now + self._timing.ping_timeout
        self._held_up = self._queue.holds_up_the_reader
        self._taken = self._queue.taken
        return True
