"""How many connections an address may hold, and what the log says of more."""

import pytest

from chatcore_aiohttp import Proxies
from chatcore_server.connections import PROXY, Doorman

from .accounts_node import Clock

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def test_refused_connections_are_logged_once_a_minute_and_address(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    doorman = Doorman(2, Proxies())
    doorman._throttle._clock = clock
    for address in (HOME, ELSEWHERE) * 2:
        assert doorman.enter(address)
    assert not caplog.messages
    lines = [f"open connections limit reached: address={address} connections=2" for address in (HOME, ELSEWHERE)]
    for _ in range(3):
        assert not any(doorman.enter(address) for address in (HOME, ELSEWHERE))
    assert caplog.messages == lines
    clock.tick(59)
    assert not doorman.enter(HOME)
    assert caplog.messages == lines
    clock.tick(1)
    assert not doorman.enter(HOME)
    assert caplog.messages == [*lines, lines[0]]


def test_refused_connections_are_not_counted() -> None:
    doorman = Doorman(2, Proxies())
    assert [doorman.enter(HOME) for _ in range(5)] == [True, True, False, False, False]
    doorman.leave(HOME)
    assert [doorman.enter(HOME) for _ in range(2)] == [True, False]
    for _ in range(2):
        doorman.leave(HOME)
    assert not doorman._held


def test_trusted_proxies_hold_any_number() -> None:
    doorman = Doorman(1, Proxies.parse("192.0.2.0/24"))
    assert doorman.holder((HOME, 1)) == doorman.holder((ELSEWHERE, 1)) == PROXY
    assert all(doorman.enter(PROXY) for _ in range(10))
