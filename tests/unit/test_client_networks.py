"""The network by which limits distinguish the addresses of clients."""

import pytest

from chatcore.domain.client_networks import client_network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:0:0:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("host.example\n", "unknown"),
        ("1" * 10_000, "unknown"),
    ],
)
def test_address_counts_as_itself_or_as_its_ipv6_network(address: str | None, network: str) -> None:
    assert client_network(address) == network
