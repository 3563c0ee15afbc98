"""How many connections clients may hold open, in all and from one address."""

from collections import Counter

from attrs import frozen

from chatcore.domain.addresses import client_network
from chatcore.errors import RateLimited

RETRY_AFTER_MS = 5_000


@frozen(kw_only=True)
class Caps:
    """Bounds on what clients may hold open. Addresses are counted as `client_network` gives them: IPv6 by /64.

    Attributes:
        websockets_per_address: open websockets.
        doorways: polling sessions whose websocket does not stand yet, in all. Each keeps 16 KiB at most, for 20 s.
        doorways_per_address: the same, from one address.
    """

    websockets_per_address: int = 4096
    doorways: int = 4096
    doorways_per_address: int = 1024


class Cap:
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
