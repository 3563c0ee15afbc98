"""The networks by which rate limits group the addresses of clients."""

import ipaddress
from functools import lru_cache

IPV6_PREFIX = 64
"""Bits of an IPv6 address that identify one site (RFC 6177)."""
UNKNOWN = "unknown"


@lru_cache(4096)  # each connection asks several times
def client_network(address: str | None) -> str:
    """Return the network that limits count a client's address under.

    An IPv4 address counts by itself, also as an IPv4-mapped IPv6 address. An IPv6 address counts as its /64 network.
    All clients without a valid address share ``unknown``.
    """
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    mapped = ip.ipv4_mapped
    return str(mapped or ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))
