"""How many connections an address may hold."""

import pytest

from chatcore.errors import RateLimited
from chatcore_socketio.caps import Cap


def test_addresses_of_one_ipv6_network_share_a_cap() -> None:
    cap = Cap(per_address=2)
    cap.enter("2001:db8::1")
    cap.enter("2001:db8::2")
    with pytest.raises(RateLimited):
        cap.enter("2001:db8::3")
    cap.enter("2001:db8:0:1::1")
    cap.leave("2001:db8::1")
    cap.enter("2001:db8::4")


def test_clients_of_unknown_address_share_a_cap() -> None:
    cap = Cap(per_address=1)
    cap.enter(None)
    with pytest.raises(RateLimited):
        cap.enter("")
