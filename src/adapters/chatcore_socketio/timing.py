"""How long a session waits for what."""

from attrs import frozen


@frozen(kw_only=True)
class Timing:
    """Durations in seconds, on the monotonic clock.

    Attributes:
        ping_interval: from one PONG, or from the beginning, to the next PING.
        ping_timeout: how long a PONG may take; and how long a socket may leave its answers unread while it sends more.
        connect_within: a client upgrades to websocket, and sends CONNECT, within this time of its first request; and
            CONNECT is answered within it.
        close_within: how long an end may take, whatever the client does.
    """

    ping_interval: float = 25
    ping_timeout: float = 20
    connect_within: float = 10
    close_within: float = 1

    @property
    def tick(self) -> float:
        """How often deadlines are looked at."""
        return min(1, self.ping_interval / 5, self.ping_timeout / 5, self.connect_within / 5)
