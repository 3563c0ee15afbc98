"""Presence across nodes: by the registry, and faster with a bus."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from chatcore import BlockUser, Chat, JoinRoom
from chatcore.domain.presence import GRACE_S
from chatcore.errors import Unavailable
from chatcore.ids import UserId
from chatcore.live.event_loop import current_time
from chatcore.live.presence import QUESTION_S
from chatcore.ports.bus import Hint, PresenceHint
from chatcore.ports.registry import LEASE_S, SeenUser, SocketInfo
from chatcore.testing import virtual_time
from chatcore.testing.builders import NOON
from chatcore_memory import MemoryBus, MemoryRegistry, MemoryStore
from tests.unit.presence_clients import FOUND_S, PUSHED_S, group, opened, shown, states
from tests.unit.test_presence import clock, leftovers, offline

pytestmark = pytest.mark.anyio

KILLED_S = 40
"""The contract: seconds in which the users of a killed node are offline."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


class CountedRegistry(MemoryRegistry):
    """A registry that counts the questions for presence and the sockets that are added, and may fail."""

    def __init__(self) -> None:
        super().__init__(current_time)
        self.questions: list[Collection[UserId]] = []
        self.added: list[SocketInfo] = []
        self.asked = anyio.Event()
        self.fails = False
        self.slow_s = 0.0

    async def add(self, socket: SocketInfo) -> None:
        self.added.append(socket)
        if self.fails:
            raise Unavailable
        await super().add(socket)

    async def presence(self, users: Collection[UserId], but: str) -> Mapping[UserId, SeenUser]:
        self.questions.append(users)
        if self.fails:
            raise Unavailable
        seen = await super().presence(users, but)
        self.asked.set()
        await anyio.sleep(self.slow_s)
        return seen


class Bus(MemoryBus):
    def __init__(self) -> None:
        super().__init__()
        self.hints: list[Hint] = []

    async def publish(self, hints: Any) -> None:
        self.hints += [hint for hint in hints if isinstance(hint, PresenceHint)]
        await super().publish(hints)


@pytest.fixture
def registry() -> CountedRegistry:
    return CountedRegistry()


@pytest.fixture
def bus(request: pytest.FixtureRequest) -> Bus | None:
    return Bus() if hasattr(request, "param") else None


@pytest.fixture
async def nodes(registry: CountedRegistry, bus: Bus | None) -> AsyncGenerator[tuple[Chat, Chat]]:
    """Two nodes. alice, bob and carol share a group."""
    store = MemoryStore()
    async with AsyncExitStack() as entered:
        nodes = [Chat(store, registry=registry, bus=bus, clock=clock) for _ in range(2)]
        for node in nodes:
            await entered.enter_async_context(node)
        await group(nodes[0], "alice", "bob", "carol")
        await anyio.sleep(3)
        yield nodes[0], nodes[1]


Nodes = tuple[Chat, Chat]


async def test_socket_on_another_node_is_found_by_polling(nodes: Nodes) -> None:
    here, there = nodes
    alice = await opened(here, "alice")
    await alice.watch("bob")
    bob = await opened(there, "bob")
    assert await shown(here, "alice", "bob") == await shown(there, "alice", "bob")
    await anyio.sleep(FOUND_S)
    assert alice.client.presence == [("bob", "online")]
    await bob.command("presence.set", state="away")
    await anyio.sleep(FOUND_S + 0.5)
    assert alice.client.presence[1:] == [("bob", "away")]
    await bob.close()
    left = clock()
    await anyio.sleep(GRACE_S - 0.1)
    assert await states(here, "alice", "bob") == ["away"]
    assert len(alice.client.presence) == 2
    await anyio.sleep(0.1 + 2 * PUSHED_S)
    assert alice.client.presence[2:] == [("bob", "offline")]
    assert alice.client.presence_pushes[-1].last_seen == left
    assert await shown(here, "alice", "bob") == offline(left)
    await alice.close()


@pytest.mark.parametrize("pause", [0.1, 5, 9.9])
async def test_user_who_moves_between_nodes_is_online_throughout(nodes: Nodes, pause: float) -> None:
    here, there = nodes
    alice, bob = await opened(here, "alice"), await opened(here, "bob")
    await alice.watch("bob")
    for number in range(6):
        await bob.close()
        await anyio.sleep(pause)
        assert await states(here, "alice", "bob") == await states(there, "alice", "bob") == ["online"]
        bob = await opened(nodes[number % 3 % 2], "bob")
        await anyio.sleep(number)
    await anyio.sleep(2 * GRACE_S)
    assert alice.client.presence == []
    for socket in (alice, bob):
        await socket.close()


async def test_user_is_online_while_one_socket_on_any_node_is_not_away(nodes: Nodes) -> None:
    here, there = nodes
    alice, phone, laptop = await opened(here, "alice"), await opened(here, "bob"), await opened(there, "bob")
    await alice.watch("bob")
    await phone.command("presence.set", state="away")
    await anyio.sleep(FOUND_S)
    assert alice.client.presence == []
    await laptop.command("presence.set", state="away")
    await anyio.sleep(FOUND_S + 0.5)
    assert alice.client.presence == [("bob", "away")]
    assert [info.away for info in await here.sockets("bob")] == [True, True]
    await phone.command("presence.set", state="online")
    await anyio.sleep(PUSHED_S)
    await phone.close()
    await anyio.sleep(FOUND_S)
    assert alice.client.presence[1:] == [("bob", "online"), ("bob", "away")]
    for socket in (alice, laptop):
        await socket.close()


async def test_users_of_a_killed_node_are_offline_after_their_leases(nodes: Nodes, registry: CountedRegistry) -> None:
    here, _ = nodes
    await registry.add(SocketInfo(id="s", user="bob", device="d", node="killed", since=NOON))
    alice = await opened(here, "alice")
    assert await alice.watch("bob") == {"bob": "online"}
    await anyio.sleep(LEASE_S - 1)
    assert alice.client.presence == []
    await anyio.sleep(KILLED_S - LEASE_S - 4)
    assert alice.client.presence == [("bob", "offline")]
    await alice.close()


async def test_users_of_a_stopped_node_stay_online_for_10_s(nodes: Nodes, registry: CountedRegistry) -> None:
    here, there = nodes
    async with Chat(there.store, registry=registry, clock=clock) as stopped:
        bob = await opened(stopped, "bob")
        alice = await opened(here, "alice")
        await alice.watch("bob")
    await bob.close()
    await anyio.sleep(GRACE_S - 1)
    assert alice.client.presence == []
    await anyio.sleep(1 + 2 * PUSHED_S)
    assert alice.client.presence == [("bob", "offline")]
    assert alice.client.presence_pushes[-1].last_seen is not None
    await alice.close()


async def test_answer_of_an_earlier_question_does_not_undo_a_later_one(nodes: Nodes, registry: CountedRegistry) -> None:
    here, there = nodes
    alice, other = await opened(here, "alice"), await opened(here, "alice")
    await alice.watch("bob")
    registry.slow_s = 1.5
    registry.asked = anyio.Event()
    await registry.asked.wait()  # the poll has read that bob is offline
    bob = await opened(there, "bob")
    registry.slow_s = 0
    await other.watch("bob")
    await anyio.sleep(3)
    assert other.client.presence == []
    assert alice.client.presence == [("bob", "online")]
    for socket in (alice, other, bob):
        await socket.close()


async def test_user_is_not_offline_before_the_registry_says_so(nodes: Nodes, registry: CountedRegistry) -> None:
    here, there = nodes
    alice, bob = await opened(here, "alice"), await opened(here, "bob")
    await alice.watch("bob")
    registry.fails = True
    await bob.close()
    assert (await alice.command("presence", users=["bob"]))["error"]["code"] == "unavailable"
    await anyio.sleep(GRACE_S + 5)
    assert alice.client.presence == []
    registry.fails = False
    bob = await opened(there, "bob")
    await anyio.sleep(FOUND_S)
    assert alice.client.presence == []
    await bob.close()
    await anyio.sleep(GRACE_S + FOUND_S)
    assert alice.client.presence == [("bob", "offline")]
    await alice.close()


async def test_away_is_written_once_for_many_changes_and_again_after_a_failure(
    nodes: Nodes, registry: CountedRegistry
) -> None:
    here, there = nodes
    alice, bob = await opened(here, "alice"), await opened(there, "bob")
    await alice.watch("bob")
    registry.added.clear()
    for state in ("away", "online") * 50 + ("away",):
        await bob.command("presence.set", state=state)
    await anyio.sleep(FOUND_S + 0.5)
    assert [info.away for info in registry.added] == [True]
    assert alice.client.presence == [("bob", "away")]
    registry.fails = True
    await bob.command("presence.set", state="online")
    await anyio.sleep(2)
    registry.fails = False
    await anyio.sleep(FOUND_S + 1)
    assert alice.client.presence[1:] == [("bob", "online")]
    for socket in (alice, bob):
        await socket.close()


async def test_socket_that_ends_while_it_is_written_is_not_added_again(nodes: Nodes, registry: CountedRegistry) -> None:
    bob = await opened(nodes[0], "bob")
    await bob.command("presence.set", state="away")
    await bob.close()
    await anyio.sleep(1)
    assert await registry.of_user("bob") == []


async def test_registry_is_asked_for_visible_watched_users_alone(nodes: Nodes, registry: CountedRegistry) -> None:
    here, _ = nodes
    bob = await opened(here, "bob")
    registry.questions.clear()
    await anyio.sleep(10 * QUESTION_S)
    assert registry.questions == []
    alice = await opened(here, "alice")
    await alice.watch("bob", "carol", "stranger")
    registry.questions.clear()
    await anyio.sleep(10 * QUESTION_S)
    assert 8 <= len(registry.questions) <= 10
    assert {*map(tuple, registry.questions)} == {("carol",)}  # bob is online here
    await alice.close()
    registry.questions.clear()
    await anyio.sleep(10 * QUESTION_S)
    assert registry.questions == []
    await bob.close()


async def test_user_who_becomes_visible_is_asked_for_before_it_is_shown(nodes: Nodes) -> None:
    here, there = nodes
    alice, dave = await opened(here, "alice"), await opened(there, "dave")
    assert await alice.watch("dave") == {"dave": "offline"}
    await there.execute("dave", JoinRoom(room=await group(there, "eve", "alice", "dave", key="2")))
    await anyio.sleep(FOUND_S + 2 * PUSHED_S)
    assert alice.client.presence == [("dave", "online")]
    for socket in (alice, dave):
        await socket.close()


async def test_block_on_another_node_hides_within_two_polls(nodes: Nodes) -> None:
    here, there = nodes
    alice, bob = await opened(here, "alice"), await opened(here, "bob")
    await alice.watch("bob")
    await there.execute("bob", BlockUser(user="alice"))
    await anyio.sleep(FOUND_S)
    assert alice.client.presence == [("bob", "offline")]
    for socket in (alice, bob):
        await socket.close()


@pytest.mark.parametrize("bus", ["a bus"], indirect=True)
async def test_hints_show_other_nodes_at_once_and_are_published_together(nodes: Nodes, bus: Bus) -> None:
    here, there = nodes
    users = [f"user {number}" for number in range(90)]
    await group(here, "alice", *users, key="2")
    alice = await opened(here, "alice")
    await alice.watch(*users)
    await anyio.sleep(1)
    bus.hints.clear()
    sockets = [await opened(there, user) for user in users]
    await anyio.sleep(2 * PUSHED_S)
    assert sorted(alice.client.presence) == [(user, "online") for user in sorted(users)]
    assert [hint.users for hint in bus.hints if isinstance(hint, PresenceHint)] == [frozenset(users)]
    for socket in sockets:
        await socket.command("presence.set", state="away")
    await anyio.sleep(2 * PUSHED_S + 0.5 + QUESTION_S)
    assert len(alice.client.presence) == 2 * len(users)
    for socket in (alice, *sockets):
        await socket.close()
    await anyio.sleep(GRACE_S + 2)
    assert not leftovers(here)
    assert not leftovers(there)
