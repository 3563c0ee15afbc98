"""How many connections clients may hold open, in all and from one address."""

from collections import Counter
from collections.abc import Callable

from attrs import frozen

from chatcore.domain.addresses import client_network
from chatcore.errors import RateLimited

RETRY_AFTER_MS = 5_000
IDLE_FRAMES_PER_S = 100
"""Frames without a command that a client may send in the long run."""
IDLE_FRAMES_AT_ONCE = 500
"""Frames without a command that a client may send at once after it has been quiet."""


@frozen(kw_only=True)
class ConnectionLimits:
    """Bounds on what clients may hold open. Addresses are counted as `client_network` gives them: IPv6 by /64.

    Attributes:
        websockets_per_address: open websockets.
        polling_sessions: polling sessions whose websocket is not open yet, in all. Each keeps at most 16 KiB.
        polling_sessions_per_address: the same, from one address.
    """

    websockets_per_address: int = 4096
    polling_sessions: int = 4096
    polling_sessions_per_address: int = 1024


class ConnectionCount:
    """A count in all and per address. Clients whose address is unknown share one."""

    def __init__(self, *, per_address: int, total: int | None = None) -> None:
        self._per_address = per_address
        self._total = total
        self._counts: Counter[str] = Counter()

    def enter(self, address: str | None) -> None:
        """Count one more, until `leave`. Raises `RateLimited` where there are enough."""
        network = client_network(address)
        full = self._total is not None and self._counts.total() >= self._total
        if full or self._counts[network] >= self._per_address:
            raise RateLimited("There are too many connections; try again later.", retry_after_ms=RETRY_AFTER_MS)
        self._counts[network] += 1

    def leave(self, address: str | None) -> None:
        network = client_network(address)
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]


class IdleFrameLimit:
    """A token bucket over ``clock``, in monotonic seconds. A client's own commands are bounded by its queue."""

    __slots__ = ("_clock", "_left", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(IDLE_FRAMES_AT_ONCE)
        self._since = clock()

    def spend(self) -> bool:
        """Count a frame; False when it is one too many."""
        if self._left < 1:
            now = self._clock()
            self._left = min(IDLE_FRAMES_AT_ONCE, self._left + (now - self._since) * IDLE_FRAMES_PER_S)
            self._since = now
            if self._left < 1:
                return False
        self._left -= 1
        return True
