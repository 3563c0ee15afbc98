"""The leases of a node while its sockets connect and end."""

import anyio
import pytest

from chatcore import Bye, Chat, ChatError, NotFound, SendMessage, Unavailable
from chatcore.live import leases
from chatcore.live.leases import TIMEOUT_S, Leases
from chatcore.ports.registry import LEASE_S, SocketInfo
from chatcore.testing import Recorder
from chatcore.testing.registry import socket
from chatcore_memory import MemoryRegistry, MemoryStore

from .nodes import HeldStore

pytestmark = pytest.mark.anyio

SOCKETS = [socket(f"s{number}", opened=number) for number in range(4)]


class SlowRegistry(MemoryRegistry):
    """A registry whose `add` takes ``takes`` seconds and has its effect at the end."""

    def __init__(self) -> None:
        super().__init__(anyio.current_time)
        self.takes = 0.0
        self.adding: list[SocketInfo] = []

    async def add(self, socket: SocketInfo) -> None:
        self.adding.append(socket)
        await anyio.sleep(self.takes)
        await super().add(socket)


async def test_socket_ending_while_lost_leases_are_added_again_leaves_no_lease() -> None:
    registry = SlowRegistry()
    node = Leases(registry, "node")
    for info in SOCKETS:
        await node.add(info)
    await anyio.sleep(LEASE_S)
    assert await node.of_user("bob") == []
    registry.takes, registry.adding, open_sockets = 0.5, [], list(SOCKETS)
    with anyio.move_on_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(node.renew, lambda *_: None)
            await anyio.wait_all_tasks_blocked()
            for ended in (*registry.adding, *[info for info in SOCKETS if info not in registry.adding][1:]):
                open_sockets.remove(ended)
                await node.remove(ended)
    assert await node.of_user("bob") == open_sockets
    assert len(open_sockets) == 1


async def test_cancelled_socket_is_removed_from_the_registry() -> None:
    async with Chat(MemoryStore(), registry=MemoryRegistry(anyio.current_time)) as chat:
        with anyio.CancelScope() as scope:
            async with chat.connect(Recorder(), user="bob"):
                assert len(await chat.sockets("bob")) == 1
                scope.cancel()
                await anyio.sleep_forever()
        assert await chat.sockets("bob") == []


class RefusingRegistry(MemoryRegistry):
    """A registry that can refuse removals."""

    refuses = False

    async def remove(self, socket: SocketInfo) -> None:
        if self.refuses:
            raise Unavailable
        await super().remove(socket)


async def test_removal_that_failed_is_repeated_until_it_succeeds() -> None:
    registry = RefusingRegistry(anyio.current_time)
    async with Chat(MemoryStore(), registry=registry) as chat:
        async with chat.connect(Recorder(), user="bob"):
            registry.refuses = True
        await anyio.sleep(2)
        assert len(await chat.sockets("bob")) == 1
        registry.refuses = False
        await anyio.sleep(1)
        assert await chat.sockets("bob") == []


async def test_failed_removals_that_are_repeated_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "UNREMOVED_MAX", 2)
    registry = RefusingRegistry(anyio.current_time)
    async with Chat(MemoryStore(), registry=registry) as chat:
        registry.refuses = True
        for _ in range(3):
            async with chat.connect(Recorder(), user="bob"):
                pass
        registry.refuses = False
        await anyio.sleep(1)
        assert len(await chat.sockets("bob")) == 1
        await anyio.sleep(LEASE_S)
        assert await chat.sockets("bob") == []


class HangingRegistry(MemoryRegistry):
    """A registry whose `add` and `remove` take a minute."""

    async def add(self, socket: SocketInfo) -> None:
        await anyio.sleep(60)

    async def remove(self, socket: SocketInfo) -> None:
        await anyio.sleep(60)


async def test_hanging_registry_delays_connect_and_end_by_a_second_each() -> None:
    async with Chat(MemoryStore(), registry=HangingRegistry(anyio.current_time)) as chat:
        began, bob = anyio.current_time(), Recorder()
        async with chat.connect(bob, user="bob"):
            assert bob.ready.user == "bob"
        assert anyio.current_time() - began == pytest.approx(2 * TIMEOUT_S, abs=0.1)


@pytest.mark.parametrize("shared", [False, True])
async def test_host_closes_one_socket_of_a_user_and_no_other(shared: bool) -> None:
    registry = MemoryRegistry(anyio.current_time) if shared else None
    phone, laptop, other = Recorder("socket-a"), Recorder("socket-b"), Recorder("socket-c")
    async with (
        Chat(MemoryStore(), registry=registry) as chat,
        chat.connect(phone, user="alice"),
        chat.connect(laptop, user="alice"),
        chat.connect(other, user="bob"),
    ):
        assert [info.id for info in await chat.sockets("alice")] == ["socket-a", "socket-b"]
        for user, socket_id in (("alice", "none"), ("alice", "socket-c"), ("bob", "socket-b")):
            with pytest.raises(NotFound):
                await chat.close_socket(user, socket_id)
        user, socket_id = b"alice socket-b".decode().split()  # equal to the known ids, but other objects
        await chat.close_socket(user, socket_id)
        assert (phone.bye, laptop.bye, other.bye) == (None, Bye(code="kicked"), None)


class Phone(Recorder):
    def __init__(self) -> None:
        super().__init__("phone")
        self.byes: list[Bye] = []

    def close(self, bye: Bye) -> None:
        self.byes.append(bye)
        super().close(bye)


async def test_socket_that_is_closed_twice_gets_the_first_reason_only() -> None:
    phone = Phone()
    async with Chat(MemoryStore()) as chat, chat.connect(phone, user="alice", session="s"):
        await chat.close_session("alice", "s")
        await chat.close_socket("alice", "phone")
        assert phone.byes == [Bye(code="signed_out")]


async def test_command_queued_during_chat_exit_is_unavailable_at_its_end() -> None:
    """The command is queued during the exit, so its own 5 s have not passed."""
    store, outcomes = HeldStore(), list[str]()
    held = store.hold("append", done=False)

    async def send(key: str, after_s: float) -> None:
        await anyio.sleep(after_s)
        try:
            await chat.execute("alice", SendMessage(to="bob", body="x", key=key))
        except ChatError as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as tasks:
        async with Chat(store) as chat:
            tasks.start_soon(send, "1", 0)
            tasks.start_soon(send, "2", 2)
            await held.reached.wait()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == ["unavailable"] * 2
        tasks.cancel_scope.cancel()
