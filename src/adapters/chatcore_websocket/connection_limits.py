"""Limits of connections: how many clients may hold open, and how many idle frames each may send."""

from collections import Counter
from collections.abc import Callable

from attrs import frozen

from chatcore.domain.client_networks import client_network
from chatcore.errors import RateLimited

RETRY_AFTER_MS = 5_000
"""Milliseconds after which a client that was refused for too many connections may try again."""
IDLE_FRAMES_PER_S = 100
"""The sustained number of idle frames that a client may send in a second."""
IDLE_FRAMES_AT_ONCE = 500
"""Idle frames that a client may send at once after a pause."""


@frozen(kw_only=True)
class ConnectionLimits:
    """How many connections clients may hold open. IPv6 addresses count by their /64 network (`client_network`).

    Attributes:
        websockets_per_address: open websockets of one address.
        polling_sessions: polling sessions that have not been upgraded yet, of all clients. Each keeps at most 16 KiB,
            and ends after `Timing.connect_timeout`.
        polling_sessions_per_address: polling sessions of one address that have not been upgraded yet.
    """

    websockets_per_address: int = 4096
    polling_sessions: int = 4096
    polling_sessions_per_address: int = 1024


class ConnectionCounter:
    """Counts open connections, in total and per address. Clients without a known address share one count.

    Args:
        per_address: connections that one address may hold.
        total: connections that all addresses may hold together; None is no limit.
    """

    def __init__(self, *, per_address: int, total: int | None = None) -> None:
        self._per_address = per_address
        self._total = total
        self._counts: Counter[str] = Counter()

    def acquire(self, address: str | None) -> None:
        """Count a connection until `release`.

        Raises:
            RateLimited: A limit has been reached. The connection is not counted.
        """
        network = client_network(address)
        is_full = self._total is not None and self._counts.total() >= self._total
        if is_full or self._counts[network] >= self._per_address:
            raise RateLimited("There are too many connections; try again later.", retry_after_ms=RETRY_AFTER_MS)
        self._counts[network] += 1

    def release(self, address: str | None) -> None:
        """Stop counting a connection that was acquired."""
        network = client_network(address)
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]


class IdleFrameLimit:
    """A token bucket for the idle frames of one client.

    An idle frame carries no command, such as PONG. Commands are bounded by the client's `PacketQueue`.

    Args:
        clock: returns monotonic seconds.
    """

    __slots__ = ("_clock", "_refilled_at", "_tokens")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens = float(IDLE_FRAMES_AT_ONCE)
        self._refilled_at = clock()

    def take(self) -> bool:
        """Count an idle frame. Returns False if the frame is above the limit."""
        if self._tokens < 1:
            now = self._clock()
            refill = (now - self._refilled_at) * IDLE_FRAMES_PER_S
            self._tokens = min(IDLE_FRAMES_AT_ONCE, self._tokens + refill)
            self._refilled_at = now
            if self._tokens < 1:
                return False
        self._tokens -= 1
        return True
