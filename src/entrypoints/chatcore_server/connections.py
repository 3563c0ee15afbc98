"""How many connections one address may hold."""

import asyncio
import ipaddress
import logging
import resource
from collections.abc import Callable
from typing import Any

PER_ADDRESS_MAX = 10_000
IPV6_PREFIX = 64
"""One customer has so much of an IPv6 address (RFC 6177): the rest tells nobody apart."""

log = logging.getLogger(__name__)


def per_address_max() -> int:
    """`PER_ADDRESS_MAX`, or half of the files that this process may open, for which it asks as many as it can get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return PER_ADDRESS_MAX if hard == resource.RLIM_INFINITY else min(PER_ADDRESS_MAX, hard // 2)


class Doorman:
    """A factory of protocols for `loop.create_server`: ``make`` makes one, unless its peer holds ``most`` already."""

    def __init__(self, make: Callable[[], asyncio.Protocol], most: int) -> None:
        self._make = make
        self._most = most
        self._held: dict[str, int] = {}
        self._full: set[str] = set()

    def __call__(self) -> asyncio.Protocol:
        return _Counted(self._make(), self)

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


class _Counted(asyncio.Protocol):
    """A protocol between the transport and the one that does the work."""

    def __init__(self, inner: asyncio.Protocol, doorman: Doorman) -> None:
        self._inner = inner
        self._doorman = doorman
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = holder(transport.get_extra_info("peername"))
        if self._doorman.enter(address):
            self._address = address
            self._inner.connection_made(transport)
        elif isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is not None:
            self._doorman.leave(self._address)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._address is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def holder(peername: Any) -> str:
    """Who holds a connection: an IPv4 address, a customer's part of an IPv6 one, or everybody else together."""
    try:
        address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    except (ValueError, TypeError, IndexError):
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else address)
