"""The server's connections: their number per address, and the requests that aiohttp itself refuses."""

import asyncio
import logging
import math
import resource
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import hdrs, web

from chatcore.domain.client_networks import client_network
from chatcore.errors import Internal, Invalid
from chatcore.log_throttle import LogThrottle
from chatcore_aiohttp import aiohttp_response
from chatcore_http import Proxies, problem
from chatcore_http.guard import SECURITY_HEADERS

PER_SOCKET = 2.5
"""Connections of an address for each of its websockets: clients begin with polling, and use HTTP besides."""
PROXY = "trusted proxy"
NOT_HTTP = "Not a valid HTTP/1.1 request, or a line or header is longer than 8 KiB."

log: Final = logging.getLogger(__name__)


def connections_max(sockets: int) -> int:
    """Return how many connections an address with ``sockets`` websockets may hold.

    That is at most half of the files that this process may open. The limit of open files is raised to the maximum.
    """
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    connections = math.ceil(PER_SOCKET * sockets)
    return connections if hard_limit == resource.RLIM_INFINITY else min(connections, hard_limit // 2)


class OpenConnections:
    """Counts the connections of each address.

    Args:
        per_address_max: how many connections an address may hold.
        proxies: trusted proxies, which may hold any number.
    """

    def __init__(self, per_address_max: int, proxies: Proxies) -> None:
        self._per_address_max = per_address_max
        self._proxies = proxies
        self._counts: dict[str, int] = {}
        self._throttle = LogThrottle()

    def address(self, peername: Any) -> str:
        """Return the key that a connection counts under: an IPv4 address, an IPv6 network, `PROXY` or ``unknown``."""
        address = peername[0] if isinstance(peername, tuple) and peername else None
        return PROXY if self._proxies.trusts(address) else client_network(address)

    def add(self, address: str) -> bool:
        """Count one more connection, until `remove`. Returns False if the address holds enough connections."""
        count = self._counts.get(address, 0)
        if count >= self._per_address_max and address != PROXY:
            if self._throttle.admits(address):
                log.warning("open connections limit reached: address=%s connections=%d", address, count)
            return False
        self._counts[address] = count + 1
        return True

    def remove(self, address: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]


class HttpProtocol(web.RequestHandler):
    """A connection of a client.

    The connection is cut at once if its address holds enough connections. Requests that aiohttp itself refuses are
    answered with problem details. aiohttp's own texts would repeat parts of the request, such as a token or a password,
    and name aiohttp's version.
    """

    __slots__ = ("_address", "_open_connections")

    def __init__(self, manager: web.Server, open_connections: OpenConnections, **options: Any) -> None:
        super().__init__(manager, **options)
        self._open_connections = open_connections
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = self._open_connections.address(transport.get_extra_info("peername"))
        if self._open_connections.add(address):
            self._address = address
            super().connection_made(transport)
        else:
            cast("asyncio.Transport", transport).abort()  # uvloop's transports do not inherit from asyncio's

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._address is not None:
            self._open_connections.remove(self._address)
            super().connection_lost(exc)

    def eof_received(self) -> None:
        if self._address is not None:
            super().eof_received()

    async def start(self) -> None:
        """Serve requests. An absolute target with an invalid host name raises before a handler can answer."""
        try:
            await super().start()
        except UnicodeError:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs the error, and raises if a response has begun
        error = Internal() if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid(NOT_HTTP)
        headers = {**SECURITY_HEADERS, hdrs.SERVER: "chatcore"}
        response = aiohttp_response(problem(error, status=HTTPStatus(status), headers=headers))
        response.force_close()
        return response
