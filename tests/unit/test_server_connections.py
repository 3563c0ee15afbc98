"""The limit of open connections of an address, and its log line."""

import pytest

from chatcore_http import Proxies
from chatcore_server.connections import PROXY, OpenConnections

from .accounts_node import Clock

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def test_refused_connections_are_logged_once_a_minute_per_address(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    open_connections = OpenConnections(2, Proxies())
    open_connections._throttle._clock = clock
    for address in (HOME, ELSEWHERE) * 2:
        assert open_connections.add(address)
    assert not caplog.messages
    lines = [f"open connections limit reached: address={address} connections=2" for address in (HOME, ELSEWHERE)]
    for _ in range(3):
        assert not any(open_connections.add(address) for address in (HOME, ELSEWHERE))
    assert caplog.messages == lines
    clock.tick(59)
    assert not open_connections.add(HOME)
    assert caplog.messages == lines
    clock.tick(1)
    assert not open_connections.add(HOME)
    assert caplog.messages == [*lines, lines[0]]


def test_refused_connections_are_not_counted() -> None:
    open_connections = OpenConnections(2, Proxies())
    assert [open_connections.add(HOME) for _ in range(5)] == [True, True, False, False, False]
    open_connections.remove(HOME)
    assert [open_connections.add(HOME) for _ in range(2)] == [True, False]
    for _ in range(2):
        open_connections.remove(HOME)
    assert not open_connections._counts


def test_trusted_proxies_can_hold_any_number_of_connections() -> None:
    open_connections = OpenConnections(1, Proxies.parse("192.0.2.0/24"))
    assert open_connections.address((HOME, 1)) == open_connections.address((ELSEWHERE, 1)) == PROXY
    assert all(open_connections.add(PROXY) for _ in range(10))
