"""How many may be here at once, in all and from one address."""

from collections import Counter

from attrs import frozen

from chatcore.errors import RateLimited

RETRY_AFTER_MS = 5_000


@frozen(kw_only=True)
class Caps:
    """Bounds on what clients may open. An address is what ``remote`` gives: behind a proxy that nobody told of, one.

    Attributes:
        websockets_per_address: open websockets.
        doorways: polling sessions whose websocket does not stand yet, in all. Each keeps 16 KiB at most, for 20 s.
        doorways_per_address: the same, from one address.
    """

    websockets_per_address: int = 4096
    doorways: int = 4096
    doorways_per_address: int = 1024


class Cap:
    """A count in all and per address. Not known (None) is an address, too."""

    def __init__(self, *, per_address: int, total: int | None = None) -> None:
        self._per_address = per_address
        self._total = total
        self._counts: Counter[str | None] = Counter()

    def enter(self, address: str | None) -> None:
        """Be one more, until `leave`. Raises `RateLimited` where there are enough."""
        full = self._total is not None and self._counts.total() >= self._total
        if full or self._counts[address] >= self._per_address:
            raise RateLimited("There are too many connections; try again later.", retry_after_ms=RETRY_AFTER_MS)
        self._counts[address] += 1

    def leave(self, address: str | None) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
