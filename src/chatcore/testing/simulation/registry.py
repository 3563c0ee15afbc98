"""A socket registry between which and a node things go wrong."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import define

from ...errors import Unavailable
from ...ids import UserId
from ...ports.connection import ByeCode
from ...ports.registry import LEASE_S, Renewed, SocketInfo, SocketRegistry
from .calls import TIMEOUT_S, Call, carry_out, faults_of
from .owners import Owner
from .world import World

LATE_S = 8
FAULTS = faults_of("registry")
FRESH_S = LEASE_S - 5
"""A lease younger than this does not end during the call that is judged."""


@define
class _Lease:
    socket: SocketInfo
    renewed_at: float


class RegistryWorld:
    """The one registry of a world. ``leases`` are what it must hold, by the calls that have reached it."""

    def __init__(self, world: World, inner: SocketRegistry) -> None:
        self.world = world
        self.inner = inner
        self.owner = Owner()
        self.leases: dict[str, _Lease] = {}

    async def do(self, call: Call) -> Any:
        """What has reached the registry is carried out, even if the caller is cancelled."""
        return await asyncio.shield(self.owner.start(call()))  # type: ignore[arg-type]

    def land(self, call: Call, seconds: float) -> None:
        self.owner.start(self._land(call, seconds))

    async def _land(self, call: Call, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await call()

    async def landed(self) -> None:
        """Return when no call is on its way any more."""
        while self.owner.living():
            await asyncio.wait(self.owner.living())

    def known(self, user: UserId) -> list[SocketInfo]:
        """The sockets of a user that the registry must show, and will for some seconds."""
        since = self.world.now - FRESH_S
        return [one.socket for one in self.leases.values() if one.socket.user == user and one.renewed_at > since]

    async def add(self, socket: SocketInfo) -> None:
        await self.inner.add(socket)
        if any(one.id == socket.id for one in await self.inner.of_user(socket.user)):
            self.leases[socket.id] = _Lease(socket, self.world.now)

    async def remove(self, socket: SocketInfo) -> None:
        self.leases.pop(socket.id, None)
        await self.inner.remove(socket)

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> Renewed:
        renewed = await self.inner.renew(node, sockets)
        for socket in sockets:
            if socket.id in self.leases and socket.id not in renewed.lost:
                self.leases[socket.id].renewed_at = self.world.now
        return renewed

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        for socket in sockets:
            self.leases.pop(socket.id, None)
        await self.inner.revoke(sockets, code)


class FaultyRegistry(SocketRegistry):
    """One node's way to the registry."""

    def __init__(self, around: RegistryWorld, node: Owner) -> None:
        self._around = around
        self._world = around.world
        self._node = node
        self._failing = 0
        self._disturbed_at = float("-inf")

    def disturbed_since(self, moment: float) -> bool:
        """Whether a call of this node went wrong at ``moment`` or later."""
        return bool(self._failing) or self._disturbed_at >= moment

    async def _call(self, call: Call) -> Any:
        if self._node.dead:
            raise Unavailable  # the tasks of a crashed node end, and reach nothing
        call = partial(self._around.do, call)
        faults = self._world.faults
        if faults.happens("registry: lands late"):
            return await self._disturbed(self._lands_late(call))
        if fault := faults.one_of(FAULTS):
            return await self._disturbed(carry_out(self._world, self._node, fault, call))
        return await carry_out(self._world, self._node, None, call)

    async def _disturbed(self, going_wrong: Any) -> Any:
        self._failing += 1
        try:
            return await going_wrong
        finally:
            self._failing -= 1
            self._disturbed_at = self._world.now

    async def _lands_late(self, call: Call) -> Any:
        delay = self._world.random.uniform(0, LATE_S)
        self._around.land(call, delay)
        await asyncio.sleep(min(delay, TIMEOUT_S) * self._world.random.random())
        raise Unavailable

    async def add(self, socket: SocketInfo) -> None:
        await self._call(partial(self._around.add, socket))

    async def remove(self, socket: SocketInfo) -> None:
        await self._call(partial(self._around.remove, socket))

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> Renewed:
        renewed: Renewed = await self._call(partial(self._around.renew, node, sockets))
        if renewed.lost:
            # The node enters them again before its next renewal.
            self._disturbed_at = self._world.now + len(renewed.lost) * self._world.climate.delay_s
        return renewed

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        found: Sequence[SocketInfo] = await self._call(partial(self._around.inner.of_user, user))
        return found

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        await self._call(partial(self._around.revoke, sockets, code))
