"""The contract suite of `SocketRegistry`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest

from ..domain.presence import GRACE_S
from ..ids import UserId
from ..ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SeenUser, SocketInfo, SocketRegistry
from .builders import NOON
from .logs import ALMOST_EQUAL, HOSTILE_NAMES

PassTime: TypeAlias = Callable[[timedelta], Awaitable[None]]

ALMOST = timedelta(seconds=LEASE_S - 1)
LEASE = timedelta(seconds=LEASE_S)
IN_GRACE, GRACE = timedelta(seconds=GRACE_S - 2), timedelta(seconds=GRACE_S)
ONLINE, AWAY = SeenUser(state="online"), SeenUser(state="away")
ELSEWHERE = "the node that asks"
NOTHING = LeaseRenewal(lost=frozenset(), to_close={})


def socket(
    name: str = "s1",
    user: UserId = "bob",
    *,
    device: str = "phone",
    node: str = "node",
    opened: int = 0,
    session: str | None = None,
    away: bool = False,
) -> SocketInfo:
    """Return a socket that was opened ``opened`` seconds after noon."""
    since = NOON + timedelta(seconds=opened)
    return SocketInfo(id=name, user=user, device=device, node=node, since=since, session=session, away=away)


def lost(*sockets: SocketInfo) -> LeaseRenewal:
    return LeaseRenewal(lost=frozenset(info.id for info in sockets), to_close={})


def to_close(*sockets: SocketInfo) -> LeaseRenewal:
    return LeaseRenewal(lost=frozenset(), to_close={info.id: "kicked" for info in sockets})


@pytest.mark.anyio
class SocketRegistryContract:
    """Subclass it, with the fixtures ``registry``, an empty registry, and ``pass_time``."""

    @pytest.fixture
    async def registry(self) -> SocketRegistry:
        raise NotImplementedError

    @pytest.fixture
    def pass_time(self) -> PassTime:
        """An async function that moves the registry's clock by a timedelta."""
        raise NotImplementedError

    async def test_user_without_sockets_has_an_empty_list(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        for user in ("alice", *HOSTILE_NAMES):
            assert await registry.of_user(user) == []

    @pytest.mark.parametrize("user", ["bob", *HOSTILE_NAMES])
    async def test_socket_is_stored_unchanged(self, registry: SocketRegistry, user: UserId) -> None:
        info = socket("🙂'\"", user, device="Bob's 📱", node="a:b/c", session="s\u00e9ssion")
        await registry.add(info)
        assert await registry.of_user(user) == [info]

    async def test_socket_users_are_compared_by_code_points(self, registry: SocketRegistry) -> None:
        for user in ALMOST_EQUAL:
            await registry.add(socket(f"socket of {user}", user))
        for user in ALMOST_EQUAL:
            assert await registry.of_user(user) == [socket(f"socket of {user}", user)]

    async def test_sockets_of_a_user_are_listed_oldest_first_from_all_nodes(self, registry: SocketRegistry) -> None:
        sockets = [socket(f"s{opened}", node=f"node {opened % 2}", opened=opened) for opened in (5, 1, 4, 2, 3)]
        for info in sockets:
            await registry.add(info)
        await registry.add(socket("other", "alice"))
        assert await registry.of_user("bob") == sorted(sockets, key=lambda info: info.since)

    async def test_socket_that_is_added_again_is_listed_once(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        await registry.add(socket())
        await pass_time(ALMOST)
        await registry.add(socket())
        assert await registry.of_user("bob") == [socket()]
        await pass_time(ALMOST)
        assert await registry.of_user("bob") == [socket()]

    async def test_removed_socket_is_not_listed_others_are(self, registry: SocketRegistry) -> None:
        await registry.add(socket("s1"))
        await registry.add(socket("s2", opened=1))
        await registry.remove(socket("s1"))
        await registry.remove(socket("s1"))
        await registry.remove(socket("never there"))
        assert await registry.of_user("bob") == [socket("s2", opened=1)]
        assert await registry.renew("node", [socket("s1")]) == lost(socket("s1"))

    async def test_lease_that_is_not_renewed_ends(self, registry: SocketRegistry, pass_time: PassTime) -> None:
        await registry.add(socket())
        await pass_time(ALMOST)
        assert await registry.of_user("bob") == [socket()]
        await pass_time(LEASE - ALMOST)
        assert await registry.of_user("bob") == []

    async def test_renewed_lease_runs_from_its_renewal(self, registry: SocketRegistry, pass_time: PassTime) -> None:
        renewed, not_renewed = socket("renewed"), socket("not_renewed")
        await registry.add(renewed)
        await registry.add(not_renewed)
        for _ in range(3):
            await pass_time(ALMOST)
            assert await registry.renew("node", [renewed]) == NOTHING
        assert await registry.of_user("bob") == [renewed]

    async def test_renewal_reports_ended_leases_and_does_not_add_them(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        sockets = [socket("s1"), socket("s2")]
        for info in sockets:
            await registry.add(info)
        await pass_time(LEASE)
        assert await registry.renew("node", [*sockets, socket("never there")]) == lost(*sockets, socket("never there"))
        assert await registry.of_user("bob") == []
        await registry.add(sockets[0])
        assert await registry.of_user("bob") == [sockets[0]]
        assert await registry.renew("node", sockets) == lost(sockets[1])

    async def test_renewal_of_no_sockets_loses_none(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        assert await registry.renew("node", []) == NOTHING

    async def test_revoked_socket_is_not_listed_others_are(self, registry: SocketRegistry) -> None:
        revoked, kept, other = socket("s1"), socket("s2", opened=1), socket("other", "alice")
        for info in (revoked, kept, other):
            await registry.add(info)
        await registry.revoke([revoked], "kicked")
        assert await registry.of_user("bob") == [kept]
        assert await registry.of_user("alice") == [other]

    async def test_every_renewal_reports_a_revoked_socket_until_its_removal(self, registry: SocketRegistry) -> None:
        revoked, kept = socket("s1"), socket("s2")
        for info in (revoked, kept):
            await registry.add(info)
        await registry.revoke([revoked], "kicked")
        for _ in range(3):
            assert await registry.renew("node", [revoked, kept]) == to_close(revoked)
        await registry.remove(revoked)
        assert await registry.renew("node", [kept]) == NOTHING

    async def test_several_sockets_can_be_revoked_and_revoked_again(self, registry: SocketRegistry) -> None:
        sockets = [socket(f"s{number}", node=f"node {number % 2}") for number in range(4)]
        for info in sockets:
            await registry.add(info)
        await registry.revoke(sockets, "kicked")
        await registry.revoke(sockets, "kicked")
        await registry.revoke([], "kicked")
        assert await registry.of_user("bob") == []
        assert await registry.renew("node 0", sockets[::2]) == to_close(*sockets[::2])
        assert await registry.renew("node 1", sockets[1::2]) == to_close(*sockets[1::2])

    async def test_revoked_socket_that_is_added_again_stays_revoked(self, registry: SocketRegistry) -> None:
        await registry.add(socket())
        await registry.revoke([socket()], "kicked")
        await registry.add(socket())
        assert await registry.of_user("bob") == []
        assert await registry.renew("node", [socket()]) == to_close(socket())

    @pytest.mark.parametrize("pause", [LEASE * 2, timedelta(hours=1), timedelta(seconds=REVOKED_S - LEASE_S)])
    async def test_renewal_after_a_pause_beyond_the_lease_reports_revoked_sockets(
        self, registry: SocketRegistry, pass_time: PassTime, pause: timedelta
    ) -> None:
        before, after = socket("revoked before its lease ended"), socket("revoked after its lease ended")
        for info in (before, after):
            await registry.add(info)
        await registry.revoke([before], "kicked")
        await pass_time(LEASE)
        assert await registry.renew("another node", []) == NOTHING
        await registry.revoke([after], "kicked")
        await pass_time(pause - LEASE)
        assert await registry.renew("node", [before, after]) == to_close(before, after)

    async def test_socket_that_is_added_again_may_be_away(self, registry: SocketRegistry) -> None:
        for away in (True, False, True):
            await registry.add(socket(away=away))
            assert await registry.of_user("bob") == [socket(away=away)]
        assert await registry.renew("node", [socket()]) == NOTHING
        assert await registry.of_user("bob") == [socket(away=True)]

    async def test_user_is_online_while_a_socket_is_not_away(self, registry: SocketRegistry) -> None:
        await registry.add(socket("s1", away=True))
        await registry.add(socket("s2", "alice"))
        assert await registry.presence(["bob", "alice", "carol"], ELSEWHERE) == {"bob": AWAY, "alice": ONLINE}
        await registry.add(socket("s3", node="another", away=True))
        assert await registry.presence(["bob"], ELSEWHERE) == {"bob": AWAY}
        await registry.add(socket("s4", node="another"))
        assert await registry.presence(["bob"], ELSEWHERE) == {"bob": ONLINE}
        assert await registry.presence([], ELSEWHERE) == {}

    @pytest.mark.parametrize("user", [*HOSTILE_NAMES, *ALMOST_EQUAL])
    async def test_presence_is_of_the_users_that_are_asked_for(self, registry: SocketRegistry, user: UserId) -> None:
        await registry.add(socket("s1", user))
        await registry.add(socket("s2", "another"))
        assert await registry.presence([user], ELSEWHERE) == {user: ONLINE}
        assert await registry.presence([*HOSTILE_NAMES, *ALMOST_EQUAL], ELSEWHERE) == {user: ONLINE}

    async def test_presence_leaves_out_the_sockets_of_one_node(self, registry: SocketRegistry) -> None:
        await registry.add(socket("s1", node="a"))
        await registry.add(socket("s2", node="b", away=True))
        await registry.add(socket("s3", "alice", node="$a"))
        assert await registry.presence(["bob", "alice"], "a") == {"bob": AWAY, "alice": ONLINE}
        assert await registry.presence(["bob", "alice"], "$a") == {"bob": ONLINE}
        await registry.remove(socket("s2", node="b"))
        assert await registry.presence(["bob"], "b") == {"bob": ONLINE}
        await registry.remove(socket("s1", node="a"))
        assert (await registry.presence(["bob"], "a"))["bob"].state == "away"
        assert (await registry.presence(["bob"], "b"))["bob"].state == "online"

    @pytest.mark.parametrize("away", [False, True])
    async def test_removed_socket_counts_for_10_s(
        self, registry: SocketRegistry, pass_time: PassTime, away: bool
    ) -> None:
        await registry.add(socket(away=away))
        await registry.remove(socket())
        for passed in (timedelta(0), IN_GRACE):
            await pass_time(passed)
            seen = (await registry.presence(["bob"], ELSEWHERE))["bob"]
            assert seen.state == ("away" if away else "online")
            assert seen.ended_s is not None
            assert 0 <= seen.ended_s - passed.total_seconds() < 2
        await registry.remove(socket())
        await pass_time(GRACE - IN_GRACE)
        assert await registry.presence(["bob"], ELSEWHERE) == {}
        assert await registry.renew("node", [socket()]) == lost(socket())

    async def test_open_socket_counts_before_removed_ones(self, registry: SocketRegistry, pass_time: PassTime) -> None:
        await registry.add(socket("s1"))
        await registry.add(socket("s2", node="another", away=True))
        await registry.remove(socket("s1"))
        assert await registry.presence(["bob"], ELSEWHERE) == {"bob": AWAY}
        await pass_time(IN_GRACE)
        await registry.remove(socket("s2"))
        seen = (await registry.presence(["bob"], ELSEWHERE))["bob"]
        assert seen.state == "away"
        assert seen.ended_s is not None
        assert seen.ended_s < 2
        await registry.add(socket("s3"))
        assert await registry.presence(["bob"], ELSEWHERE) == {"bob": ONLINE}

    async def test_lease_that_ends_by_itself_does_not_count_any_more(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        await registry.add(socket())
        await pass_time(ALMOST)
        assert await registry.presence(["bob"], ELSEWHERE) == {"bob": ONLINE}
        await pass_time(LEASE - ALMOST)
        assert await registry.presence(["bob"], ELSEWHERE) == {}
        await registry.remove(socket())
        assert await registry.presence(["bob"], ELSEWHERE) == {}

    async def test_revoked_socket_counts_for_10_s_from_its_revocation(
        self, registry: SocketRegistry, pass_time: PassTime
    ) -> None:
        await registry.add(socket())
        await registry.revoke([socket()], "kicked")
        await registry.revoke([socket()], "kicked")
        assert (await registry.presence(["bob"], ELSEWHERE))["bob"].ended_s is not None
        await pass_time(IN_GRACE)
        await registry.remove(socket())
        assert (await registry.presence(["bob"], ELSEWHERE))["bob"].state == "online"
        await pass_time(GRACE - IN_GRACE)
        assert await registry.presence(["bob"], ELSEWHERE) == {}
