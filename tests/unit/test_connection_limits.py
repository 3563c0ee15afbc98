"""How many connections an address may hold."""

import pytest

from chatcore.errors import RateLimited
from chatcore_socketio.connection_limits import ConnectionCount, ConnectionLimits


def test_caps_by_default_allow_4096_websockets_and_1024_doorways_an_address() -> None:
    assert ConnectionLimits() == ConnectionLimits(
        websockets_per_address=4_096, polling_sessions=4_096, polling_sessions_per_address=1_024
    )


def test_cap_admits_its_number_in_all_and_of_an_address() -> None:
    cap = ConnectionCount(total=600, per_address=400)
    for _ in range(400):
        cap.enter("192.0.2.1")
    with pytest.raises(RateLimited):
        cap.enter("192.0.2.1")
    for _ in range(200):
        cap.enter("192.0.2.2")
    with pytest.raises(RateLimited):
        cap.enter("192.0.2.2")


def test_addresses_of_one_ipv6_network_share_a_cap() -> None:
    cap = ConnectionCount(per_address=2)
    cap.enter("2001:db8::1")
    cap.enter("2001:db8::2")
    with pytest.raises(RateLimited):
        cap.enter("2001:db8::3")
    cap.enter("2001:db8:0:1::1")
    cap.leave("2001:db8::1")
    cap.enter("2001:db8::4")


def test_clients_of_unknown_address_share_a_cap() -> None:
    cap = ConnectionCount(per_address=1)
    cap.enter(None)
    with pytest.raises(RateLimited):
        cap.enter("")
