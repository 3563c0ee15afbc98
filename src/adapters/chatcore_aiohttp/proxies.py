"""Which reverse proxies are believed when they say whose request they forward."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Self, TypeAlias

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from attrs import frozen

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class Proxies:
    """Trusted proxies by their networks. Only what they add to ``X-Forwarded-For`` counts.

    Every proxy must append its peer's address to the header, or replace the header by it.
    """

    trusted: Sequence[Network] = ()

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Read addresses and networks that commas separate, such as ``127.0.0.1, 10.0.0.0/8``.

        Raises ValueError; its text goes on after the setting's name.
        """
        return cls(tuple(_network(text.strip()) for text in setting.split(",")))

    def trusts(self, address: str | None) -> bool:
        """Whether a peer is a trusted proxy."""
        found = _address(address or "")
        return found is not None and any(found in network for network in self.trusted)

    def client(self, peer: str | None, forwarded: Iterable[str]) -> str | None:
        """Return the client's address: the last one that is no trusted proxy's.

        Args:
            peer: the address at the other end of the connection.
            forwarded: the values of ``X-Forwarded-For``, in their order.
        """
        client = peer
        hops = [hop for value in forwarded for hop in value.split(",")]
        while hops and self.trusts(client):
            found = _address(_without_port(hops.pop().strip()))
            if found is None:
                break
            client = str(found)
        return client

    def add_to(self, app: web.Application) -> None:
        """Give every handler and middleware of ``app`` the client's address as ``request.remote``.

        Call it after all other middlewares have been added.
        """

        @web.middleware
        async def forward(request: web.Request, handler: Handler) -> web.StreamResponse:
            client = self.client(request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, []))
            if client is not None and client != request.remote:
                request = request.clone(remote=client)
            return await handler(request)

        if self.trusted:
            app.middlewares.insert(0, forward)


def _address(text: str) -> Any:
    """The address that ``text`` is, an IPv4 address also where IPv6 maps it; None where it is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _without_port(hop: str) -> str:
    """Some proxies add the port: ``192.0.2.1:50000`` and ``[2001:db8::1]:50000``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("must hold addresses or networks such as 10.0.0.0/8, separated by commas") from None
