"""The contract suite of the registry on the memory registry, and its bounded memory."""

from datetime import timedelta

import pytest

from chatcore.domain.presence import GRACE_S
from chatcore.ports.registry import LEASE_S, REVOKED_S
from chatcore.testing.registry import PassTime, SocketRegistryContract, lost, socket, to_close
from chatcore_memory import MemoryRegistry


class Clock:
    """A clock in seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> MemoryRegistry:
    return MemoryRegistry(clock)


class TestMemoryRegistry(SocketRegistryContract):
    @pytest.fixture
    def registry(self, clock: Clock) -> MemoryRegistry:
        return MemoryRegistry(clock)

    @pytest.fixture
    def pass_time(self, clock: Clock) -> PassTime:
        async def pass_time(time: timedelta) -> None:
            clock.now += time.total_seconds()

        return pass_time


@pytest.mark.anyio
async def test_revocation_without_a_renewal_is_forgotten(clock: Clock, registry: MemoryRegistry) -> None:
    await registry.add(socket())
    await registry.revoke([socket()], "kicked")
    clock.now += REVOKED_S - 1
    assert await registry.renew("node", [socket()]) == to_close(socket())
    clock.now += 1
    assert await registry.renew("node", [socket()]) == lost(socket())


@pytest.mark.anyio
async def test_expired_sockets_leave_no_memory(clock: Clock, registry: MemoryRegistry) -> None:
    for number in range(100):
        await registry.add(socket(f"s{number}", user=f"user {number % 7}"))
    await registry.revoke([socket("s3", user="user 3")], "kicked")
    await registry.remove(socket("s4", user="user 4"))
    clock.now += LEASE_S
    await registry.renew("node", [])
    clock.now += REVOKED_S
    await registry.renew("node", [])
    assert not registry._leases
    assert not registry._of_user
    assert not registry._revoked


@pytest.mark.anyio
async def test_removed_sockets_leave_no_memory(clock: Clock, registry: MemoryRegistry) -> None:
    for number in range(100):
        ended = socket(f"s{number}", user=f"user {number % 7}", node=f"node {number % 3}")
        await registry.add(ended)
        await (registry.revoke([ended], "kicked") if number % 2 else registry.remove(ended))
        await registry.remove(ended)
    clock.now += GRACE_S
    await registry.renew("node", [])
    assert not any(value for name, value in vars(registry).items() if name != "_clock")
