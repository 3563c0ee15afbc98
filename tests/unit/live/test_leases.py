"""What a node does about its leases while sockets come and go."""

import anyio
import pytest

from chatcore import Chat
from chatcore.live.leases import PATIENCE_S, Leases
from chatcore.ports.registry import LEASE_S, SocketInfo
from chatcore.testing import Recorder
from chatcore.testing.registry import socket
from chatcore_memory import MemoryRegistry, MemoryStore

pytestmark = pytest.mark.anyio

SOCKETS = [socket(f"s{number}", opened=number) for number in range(4)]


class SlowRegistry(MemoryRegistry):
    """A registry whose `add` takes a while, once it is told to; it is carried out at the end of it."""

    def __init__(self) -> None:
        super().__init__(anyio.current_time)
        self.takes = 0.0
        self.adding: list[SocketInfo] = []

    async def add(self, socket: SocketInfo) -> None:
        self.adding.append(socket)
        await anyio.sleep(self.takes)
        await super().add(socket)


async def test_sockets_that_end_while_lost_leases_are_added_again_neither_stay_nor_stop_the_others() -> None:
    registry = SlowRegistry()
    leases = Leases(registry, "node")
    for one in SOCKETS:
        await leases.add(one)
    await anyio.sleep(LEASE_S)
    assert await leases.of_user("bob") == []
    registry.takes, registry.adding, stay = 0.5, [], list(SOCKETS)
    with anyio.move_on_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leases.renew, lambda *_: None)
            await anyio.wait_all_tasks_blocked()
            for gone in (*registry.adding, *[one for one in SOCKETS if one not in registry.adding][1:]):
                stay.remove(gone)
                await leases.remove(gone)
    assert await leases.of_user("bob") == stay
    assert len(stay) == 1


async def test_socket_that_is_cancelled_is_removed_from_the_registry() -> None:
    async with Chat(MemoryStore(), registry=MemoryRegistry(anyio.current_time)) as chat:
        with anyio.CancelScope() as scope:
            async with chat.connect(Recorder(), user="bob"):
                assert len(await chat.sockets("bob")) == 1
                scope.cancel()
                await anyio.sleep_forever()
        assert await chat.sockets("bob") == []


class HangingRegistry(MemoryRegistry):
    """A registry whose `add` and `remove` take a minute."""

    async def add(self, socket: SocketInfo) -> None:
        await anyio.sleep(60)

    async def remove(self, socket: SocketInfo) -> None:
        await anyio.sleep(60)


async def test_registry_that_hangs_delays_a_connect_and_its_end_by_a_second() -> None:
    async with Chat(MemoryStore(), registry=HangingRegistry(anyio.current_time)) as chat:
        began, bob = anyio.current_time(), Recorder()
        async with chat.connect(bob, user="bob"):
            assert bob.ready.user == "bob"
        assert anyio.current_time() - began == pytest.approx(2 * PATIENCE_S, abs=0.1)
