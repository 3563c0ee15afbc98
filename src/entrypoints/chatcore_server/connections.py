"""How many connections an address may hold."""

import logging
import math
import resource
from typing import Any

from chatcore.domain.addresses import client_network
from chatcore.ports.log_throttle import LogThrottle
from chatcore_aiohttp import Proxies

PER_SOCKET = 2.5
"""Connections that an address may hold for each of its websockets: clients poll first, and use HTTP besides."""
PROXY = "trusted proxy"

log = logging.getLogger(__name__)


def per_address_max(sockets: int) -> int:
    """Connections that an address with ``sockets`` websockets may hold: at most half of the files that this process may
    open. It asks for as many files as it can get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = math.ceil(PER_SOCKET * sockets)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard // 2)


class Doorman:
    """Counts the connections of each address. An address holds at most ``most``; trusted proxies hold any number."""

    def __init__(self, most: int, proxies: Proxies) -> None:
        self._most = most
        self._proxies = proxies
        self._held: dict[str, int] = {}
        self._throttle = LogThrottle()

    def holder(self, peername: Any) -> str:
        """Who holds a connection: an IPv4 address, an IPv6 network, the trusted proxies together, or ``unknown``."""
        address = peername[0] if isinstance(peername, tuple) and peername else None
        return PROXY if self._proxies.trusts(address) else client_network(address)

    def enter(self, address: str) -> bool:
        """Count one more, until `leave`. Returns False where there are enough."""
        held = self._held.get(address, 0)
        if held >= self._most and address != PROXY:
            if self._throttle.admits(address):
                log.warning("open connections limit reached: address=%s connections=%d", address, held)
            return False
        self._held[address] = held + 1
        return True

    def leave(self, address: str) -> None:
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]
