"""The heartbeat: the server sends pings, and the client answers them."""

from collections.abc import Callable

from .deadlines import Timing
from .incoming_queue import IncomingQueue


class Heartbeat:
    """Sends pings to a client, and finds out when the client no longer answers them.

    While the client's queue is full, the receiver reads nothing, and a pong may be among the bytes that it has not
    read. So the pong gets another `Timing.ping_timeout` as long as commands are taken from the queue.

    All times are the event loop's, in seconds.

    Args:
        send_ping: sends a ping. Returns False if the web server sends pings by itself and answers their pongs.
        queue: the client's messages.
        timing: the durations of the session.
        now: the time.
    """

    __slots__ = ("_due", "_is_pong_awaited", "_queue", "_send_ping", "_taken_before", "_timing", "_was_reading_paused")

    def __init__(self, send_ping: Callable[[], bool], queue: IncomingQueue, timing: Timing, now: float) -> None:
        self._send_ping = send_ping
        self._queue = queue
        self._timing = timing
        self._due = now + timing.ping_interval
        """When the next ping is due, or the awaited pong."""
        self._is_pong_awaited = False
        self._was_reading_paused = False
        """Whether reading has been paused at some time since the pong's deadline was last set."""
        self._taken_before = 0
        """How many messages had been taken from the queue when the pong's deadline was last set."""

    def receive_pong(self, now: float) -> None:
        """Plan the next ping. A pong that is not awaited has no effect."""
        if self._is_pong_awaited:
            self._is_pong_awaited = False
            self._due = now + self._timing.ping_interval

    def reading_paused(self) -> None:
        """Note that the queue is full and the receiver pauses."""
        self._was_reading_paused = True

    def check(self, now: float) -> bool:
        """Send a ping if one is due.

        Returns:
            False if the awaited pong is overdue, or the queue stays full and no message is taken from it.
        """
        if now < self._due:
            return True
        if not self._is_pong_awaited:
            self._is_pong_awaited = self._send_ping()
            if not self._is_pong_awaited and self._is_stuck:
                return False
        elif not (self._was_reading_paused and self._queue.taken > self._taken_before):
            return False
        self._due = now + self._timing.ping_timeout
        self._was_reading_paused = self._queue.is_receiver_waiting
        self._taken_before = self._queue.taken
        return True

    @property
    def _is_stuck(self) -> bool:
        return self._queue.is_receiver_waiting and self._queue.taken == self._taken_before
