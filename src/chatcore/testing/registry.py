"""What every `SocketRegistry` has to do."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest

from ..ids import UserId
from ..ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SocketInfo, SocketRegistry
from .builders import NOON
from .logs import ALMOST_EQUAL, HOSTILE_NAMES

PassTime: TypeAlias = Callable[[timedelta], Awaitable[None]]

ALMOST = timedelta(seconds=LEASE_S - 1)
LEASE = timedelta(seconds=LEASE_S)
NOTHING = LeaseRenewal(lost=frozenset(), to_close={})


def socket(
    name: str = "s1",
    user: UserId = "bob",
    *,
    device: str = "phone",
    node: str = "node",
    opened: int = 0,
    session: str | None = None,
) -> SocketInfo:
    """A socket that was opened ``opened`` seconds after noon."""
    since = NOON + timedelta(seconds=opened)
    return SocketInfo(id=name, user=user, device=device, node=node, since=since, session=session)


def lost(*sockets: SocketInfo) -> LeaseRenewal:
    return LeaseRenewal(lost=frozenset(one.id for one in sockets), to_close={})


def to_close(*sockets: SocketInfo) -> LeaseRenewal:
    return LeaseRenewal(lost=frozenset(), to_close={one.id: "kicked" for one in sockets})


@pytest.mark.anyio
class SocketRegistryContract:
    """Subclass it, with fixtures ``registry``, an empty one, and ``pass_time``, which lets the time of it pass."""

    @pytest.fixture
    async def registry(self) -> SocketRegistry:
        raise NotImplementedError

    @pytest.fixture
    def pass_time(self) -> PassTime:
        """An async function of a timedelta, after which the registry's clock is later by as much."""
        raise NotImplementedError

    async def test_a_user_without_sockets_has_none(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        for user in ("alice", *HOSTILE_NAMES):
            assert await registry.of_user(user) == []

    @pytest.mark.parametrize("user", ["bob", *HOSTILE_NAMES])
    async def test_a_socket_is_kept_exactly(self, registry: SocketRegistry, user: UserId) -> None:
        shown = socket("🙂'\"", user, device="Bob's 📱", node="a:b/c", session="s\u00e9ssion")
        await registry.add(shown)
        assert await registry.of_user(user) == [shown]

    async def test_users_are_equal_only_when_their_code_points_are(self, registry: SocketRegistry) -> None:
        for user in ALMOST_EQUAL:
            await registry.add(socket(f"socket of {user}", user))
        for user in ALMOST_EQUAL:
            assert await registry.of_user(user) == [socket(f"socket of {user}", user)]

    async def test_a_users_sockets_come_oldest_first_from_all_nodes(self, registry: SocketRegistry) -> None:
        sockets = [socket(f"s{opened}", node=f"node {opened % 2}", opened=opened) for opened in (5, 1, 4, 2, 3)]
        for one in sockets:
            await registry.add(one)
        await registry.add(socket("other", "alice"))
        assert await registry.of_user("bob") == sorted(sockets, key=lambda one: one.since)

    async def test_a_socket_that_is_entered_again_is_there_once(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        await registry.add(socket())
        await pass_time(ALMOST)
        await registry.add(socket())
        assert await registry.of_user("bob") == [socket()]
        await pass_time(ALMOST)
        assert await registry.of_user("bob") == [socket()]

    async def test_a_socket_that_is_taken_out_is_gone_and_the_others_are_not(self, registry: SocketRegistry) -> None:
        await registry.add(socket("s1"))
        await registry.add(socket("s2", opened=1))
        await registry.remove(socket("s1"))
        await registry.remove(socket("s1"))
        await registry.remove(socket("never there"))
        assert await registry.of_user("bob") == [socket("s2", opened=1)]
        assert await registry.renew("node", [socket("s1")]) == lost(socket("s1"))

    async def test_a_lease_that_is_not_renewed_ends(self, registry: SocketRegistry, pass_time: PassTime) -> None:
        await registry.add(socket())
        await pass_time(ALMOST)
        assert await registry.of_user("bob") == [socket()]
        await pass_time(LEASE - ALMOST)
        assert await registry.of_user("bob") == []

    async def test_a_renewed_lease_runs_from_then_on(self, registry: SocketRegistry, pass_time: PassTime) -> None:
        renewed, forgotten = socket("renewed"), socket("forgotten")
        await registry.add(renewed)
        await registry.add(forgotten)
        for _ in range(3):
            await pass_time(ALMOST)
            assert await registry.renew("node", [renewed]) == NOTHING
        assert await registry.of_user("bob") == [renewed]

    async def test_a_node_is_told_which_leases_had_ended_and_they_are_not_added(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        sockets = [socket("s1"), socket("s2")]
        for one in sockets:
            await registry.add(one)
        await pass_time(LEASE)
        assert await registry.renew("node", [*sockets, socket("never there")]) == lost(*sockets, socket("never there"))
        assert await registry.of_user("bob") == []
        await registry.add(sockets[0])
        assert await registry.of_user("bob") == [sockets[0]]
        assert await registry.renew("node", sockets) == lost(sockets[1])

    async def test_nothing_to_renew_is_nothing_lost(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        assert await registry.renew("node", []) == NOTHING

    async def test_a_revoked_socket_is_gone_at_once_and_the_others_are_not(self, registry: SocketRegistry) -> None:
        revoked, kept, other = socket("s1"), socket("s2", opened=1), socket("other", "alice")
        for one in (revoked, kept, other):
            await registry.add(one)
        await registry.revoke([revoked], "kicked")
        assert await registry.of_user("bob") == [kept]
        assert await registry.of_user("alice") == [other]

    async def test_a_node_is_told_what_to_close_at_every_renewal_until_it_removes_it(
        self, registry: SocketRegistry
    ) -> None:
        revoked, kept = socket("s1"), socket("s2")
        for one in (revoked, kept):
            await registry.add(one)
        await registry.revoke([revoked], "kicked")
        for _ in range(3):
            assert await registry.renew("node", [revoked, kept]) == to_close(revoked)
        await registry.remove(revoked)
        assert await registry.renew("node", [kept]) == NOTHING

    async def test_revoking_is_for_several_sockets_and_may_come_again(self, registry: SocketRegistry) -> None:
        sockets = [socket(f"s{number}", node=f"node {number % 2}") for number in range(4)]
        for one in sockets:
            await registry.add(one)
        await registry.revoke(sockets, "kicked")
        await registry.revoke(sockets, "kicked")
        await registry.revoke([], "kicked")
        assert await registry.of_user("bob") == []
        assert await registry.renew("node 0", sockets[::2]) == to_close(*sockets[::2])
        assert await registry.renew("node 1", sockets[1::2]) == to_close(*sockets[1::2])

    async def test_a_revoked_socket_stays_revoked_when_it_is_entered_again(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        await registry.revoke([socket()], "kicked")
        await registry.add(socket())
        assert await registry.of_user("bob") == []
        assert await registry.renew("node", [socket()]) == to_close(socket())

    @pytest.mark.parametrize("pause", [LEASE * 2, timedelta(hours=1), timedelta(seconds=REVOKED_S - LEASE_S)])
    async def test_a_node_that_was_paused_beyond_the_lease_is_told_too(
        self, registry: SocketRegistry, pass_time: PassTime, pause: timedelta
    ) -> None:
        before, after = socket("revoked before its lease ended"), socket("revoked after its lease ended")
        for one in (before, after):
            await registry.add(one)
        await registry.revoke([before], "kicked")
        await pass_time(LEASE)
        assert await registry.renew("another node", []) == NOTHING
        await registry.revoke([after], "kicked")
        await pass_time(pause - LEASE)
        assert await registry.renew("node", [before, after]) == to_close(before, after)
