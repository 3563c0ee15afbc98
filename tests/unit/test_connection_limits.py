"""The limits of open connections."""

import pytest

from chatcore.errors import RateLimited
from chatcore_websocket.connection_limits import ConnectionCounter, ConnectionLimits


def test_default_limits_are_4096_websockets_and_1024_polling_sessions_per_address() -> None:
    assert ConnectionLimits() == ConnectionLimits(
        websockets_per_address=4_096, polling_sessions=4_096, polling_sessions_per_address=1_024
    )


def test_counter_admits_its_limits_in_total_and_per_address() -> None:
    counter = ConnectionCounter(total=600, per_address=400)
    for _ in range(400):
        counter.acquire("192.0.2.1")
    with pytest.raises(RateLimited):
        counter.acquire("192.0.2.1")
    for _ in range(200):
        counter.acquire("192.0.2.2")
    with pytest.raises(RateLimited):
        counter.acquire("192.0.2.2")


def test_addresses_of_one_ipv6_network_share_a_limit() -> None:
    counter = ConnectionCounter(per_address=2)
    counter.acquire("2001:db8::1")
    counter.acquire("2001:db8::2")
    with pytest.raises(RateLimited):
        counter.acquire("2001:db8::3")
    counter.acquire("2001:db8:0:1::1")
    counter.release("2001:db8::1")
    counter.acquire("2001:db8::4")


def test_clients_of_unknown_address_share_a_limit() -> None:
    counter = ConnectionCounter(per_address=1)
    counter.acquire(None)
    with pytest.raises(RateLimited):
        counter.acquire("")
