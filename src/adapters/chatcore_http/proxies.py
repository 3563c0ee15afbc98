"""The reverse proxies that are trusted to name clients in ``X-Forwarded-For``, and schemes in ``X-Forwarded-Proto``."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self, TypeAlias

from attrs import frozen

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class Proxies:
    """Trusted proxies. Only what they add to ``X-Forwarded-For`` and ``X-Forwarded-Proto`` counts.

    Every trusted proxy must append its peer's address to the first header, or replace the header by it. It does the
    same with the scheme of its peer's connection in the second header, or passes that header on from another proxy.

    Attributes:
        trusted: the networks of the proxies.
    """

    trusted: Sequence[Network] = ()

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Parse addresses and networks separated by commas, such as ``127.0.0.1, 10.0.0.0/8``.

        Raises:
            ValueError: the setting is wrong. The message continues a sentence that begins with the setting's name.
        """
        return cls(tuple(_parse_network(text.strip()) for text in setting.split(",")))

    def trusts(self, address: str | None) -> bool:
        """Return whether an address is of a trusted proxy."""
        if not self.trusted:
            return False
        parsed = _parse_address(address or "")
        return parsed is not None and any(parsed in network for network in self.trusted)

    def client(self, peer: str | None, forwarded: Iterable[str]) -> str | None:
        """Return the client's address: the last address that is not of a trusted proxy.

        Args:
            peer: the address at the other end of the connection.
            forwarded: the values of ``X-Forwarded-For``, in the order of the headers.
        """
        return [peer, *self._forwarded_to_proxies(peer, forwarded)][-1]

    def scheme(self, peer: str | None, forwarded: Iterable[str], schemes: Iterable[str]) -> str | None:
        """Return the scheme of the client's connection to the first trusted proxy; None if no trusted proxy names it.

        Args:
            peer: the address at the other end of the connection.
            forwarded: the values of ``X-Forwarded-For``, in the order of the headers.
            schemes: the values of ``X-Forwarded-Proto``, in the order of the headers.
        """
        named = [scheme.strip().lower() for value in schemes for scheme in value.split(",")]
        if not named or not self.trusts(peer):
            return None
        hops = len(self._forwarded_to_proxies(peer, forwarded))
        return named[-min(max(hops, 1), len(named))]

    def _forwarded_to_proxies(self, peer: str | None, forwarded: Iterable[str]) -> Sequence[str]:
        """Return the addresses that trusted proxies have named, the client's last."""
        named: list[str] = []
        hops = [hop for value in forwarded for hop in value.split(",")]
        while hops and self.trusts(named[-1] if named else peer):
            address = _parse_address(_without_port(hops.pop().strip()))
            if address is None:
                break
            named.append(str(address))
        return named


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address, an IPv4-mapped address as IPv4; None if ``text`` is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(hop: str) -> str:
    """Return the address of a hop. Some proxies add the port: ``192.0.2.1:50000`` and ``[2001:db8::1]:50000``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _parse_network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("must hold addresses or networks such as 10.0.0.0/8, separated by commas") from None
