"""Network addresses, as limits and caps tell clients apart."""

import ipaddress

IPV6_PREFIX = 64
"""The part of an IPv6 address that one site gets (RFC 6177)."""
UNKNOWN = "unknown"


def client_network(address: str | None) -> str:
    """Return what limits count a client's address as.

    An IPv4 address stands for itself, also where IPv6 maps it. An IPv6 address stands for its /64 network. What is no
    address is ``unknown``, which all such clients share.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
