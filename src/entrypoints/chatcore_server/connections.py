"""How many connections one address may hold."""

import logging
import resource
from typing import Any

from chatcore.domain.addresses import client_network

PER_ADDRESS_MAX = 10_000

log = logging.getLogger(__name__)


def per_address_max() -> int:
    """`PER_ADDRESS_MAX`, or half of the files that this process may open, for which it asks as many as it can get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return PER_ADDRESS_MAX if hard == resource.RLIM_INFINITY else min(PER_ADDRESS_MAX, hard // 2)


class Doorman:
    """Counts the connections of each address, of which none holds more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}
        self._full: set[str] = set()

    def enter(self, address: str) -> bool:
        held = self._held.get(address, 0)
        if held >= self._most:
            if address not in self._full:
                log.warning("%s holds %d connections: further ones are refused.", address, held)
                self._full.add(address)
            return False
        self._held[address] = held + 1
        return True

    def leave(self, address: str) -> None:
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]
            self._full.discard(address)


def holder(peername: Any) -> str:
    """Who holds a connection: an IPv4 address, an IPv6 network, or ``unknown``."""
    try:
        return client_network(str(peername[0]))
    except (TypeError, IndexError):
        return client_network(None)
