"""The store, the socket registry and the bus, with the faults of the network between them and the nodes.

One `SharedStore`, `SharedRegistry` and `SharedBus` serve all nodes. Each node has a `FaultyStore`, a `FaultyRegistry`
and a `FaultyBus` of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from attrs import define

from ...domain.blocks import BlockedPair
from ...domain.entries import Entry
from ...domain.state import Marker, MarkerUpdate, RoomState, RoomView
from ...errors import Unavailable
from ...ids import Key, RoomId, Seq, UserId
from ...ports.blocks import BlockPosition, NewBlocks
from ...ports.bus import Bus, Hint, RevocationHint
from ...ports.entry_log import AppendResult, Changes, FeedPosition, LogSlice
from ...ports.pushes import ByeCode
from ...ports.registry import LEASE_S, LeaseRenewal, SeenUser, SocketInfo, SocketRegistry
from ...ports.room_views import Anchor, RoomCatchUp, RoomMembers, RoomMembership, RoomPage, UnreadTotal, Window
from ...ports.store import Store
from .processes import Process
from .profile import InjectedError
from .world import World

T = TypeVar("T")
Call: TypeAlias = Callable[[], Coroutine[Any, Any, T]]

CALL_TIMEOUT_S = 2
"""The contract of the store and of the registry: they answer within 2 s or fail."""
APPLIED_LATE_S = 8
HINT_LATE_S = 3
LEASE_VALID_S = LEASE_S - 5
"""A lease that is younger than this does not end during the call that is checked."""


async def _fails_before(world: World, _: Process, call: Call[T]) -> T:
    await asyncio.sleep(world.delay())
    raise Unavailable


async def _fails_after(_: World, __: Process, call: Call[T]) -> T:
    await call()
    raise Unavailable


async def _slow_before(world: World, _: Process, call: Call[T]) -> T:
    await asyncio.sleep(world.random.uniform(0, CALL_TIMEOUT_S))
    return await call()


async def _slow_after(world: World, _: Process, call: Call[T]) -> T:
    result = await call()
    await asyncio.sleep(world.random.uniform(0, CALL_TIMEOUT_S))
    return result


async def _hangs(world: World, _: Process, call: Call[T]) -> T:
    if world.random.random() < 0.5:
        await call()
    await asyncio.sleep(CALL_TIMEOUT_S)
    raise Unavailable


async def _raises(world: World, process: Process, call: Call[T]) -> T:
    """Raise an error that the port's contract does not allow: it allows `Unavailable` only."""
    if world.random.random() < 0.5:
        await call()
    raise world.injected_error(process)


_CALL_FAULTS: Mapping[str, Callable[[World, Process, Call[Any]], Awaitable[Any]]] = {
    "fails before": _fails_before,
    "fails after": _fails_after,
    "slow before": _slow_before,
    "slow after": _slow_after,
    "slow read": _slow_after,
    "hangs": _hangs,
    "raises": _raises,
}


def _call_faults(port: str, *, read: bool = False) -> tuple[str, ...]:
    """Return the names of a port's call faults. Only a ``read`` has `slow read`, which is frequent in some profiles."""
    return tuple(f"{port}: {fault}" for fault in _CALL_FAULTS if read or fault != "slow read")


STORE_WRITE_FAULTS = _call_faults("store")
STORE_READ_FAULTS = _call_faults("store", read=True)
REGISTRY_FAULTS = _call_faults("registry")
BUS_FAULTS = ("hint: lost", "hint: duplicated", "hint: late")


async def _call_with_fault(world: World, process: Process, fault: str | None, call: Call[T]) -> T:
    """Make a call of ``process``, with a fault of `_call_faults` or without one."""
    if fault:
        result: T = await _CALL_FAULTS[fault.partition(": ")[2]](world, process, call)
        return result
    if delay := world.delay():
        await asyncio.sleep(delay)
    return await call()


class _Service:
    """A shared service. A call that has reached it is carried out, even if its caller is cancelled."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._process = Process()

    async def call(self, call: Call[T]) -> T:
        return await asyncio.shield(self._process.start(call()))

    def call_later(self, call: Call[object], seconds: float) -> None:
        """Carry ``call`` out after ``seconds``, even if the node that made it ends before."""
        self._process.start(self._call_later(call, seconds))

    async def _call_later(self, call: Call[object], seconds: float) -> None:
        await asyncio.sleep(seconds)
        await call()

    async def calls_applied(self) -> None:
        """Return when no call is under way any more."""
        while self._process.running_tasks():
            await asyncio.wait(self._process.running_tasks())


class SharedStore(_Service):
    """The store of all nodes."""

    def __init__(self, world: World, inner: Store) -> None:
        super().__init__(world)
        self.inner = inner
        self.unavailable_until: float = 0.0

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        appended = await self.inner.append(entries)
        self.world.reference.written(entries[: appended.written], self.world.now)
        return appended

    async def append_late(self, entries: Sequence[Entry]) -> None:
        appended = await self.append(entries)
        self.world.trace("store: %s of %s %s applied late", appended.written, entries[0].room, entries[0].seq)


class FaultyStore(Store):
    """The store as one node reaches it."""

    def __init__(self, shared: SharedStore, process: Process) -> None:
        self._shared = shared
        self._process = process
        self._world = shared.world
        self._inner = shared.inner
        self.epoch: str = shared.world.epoch
        self.unavailable_until: float = 0.0

    async def __aenter__(self) -> Self:
        self.epoch = self._world.epoch
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def _call(self, call: Call[T], faults: tuple[str, ...] = STORE_READ_FAULTS) -> T:
        world = self._world
        try:
            if world.now < max(self.unavailable_until, self._shared.unavailable_until) and not world.faults.stopped:
                await asyncio.sleep(world.delay())
                raise Unavailable
            return await _call_with_fault(world, self._process, world.faults.draw(faults), call)
        except Unavailable:
            self._process.port_failed_at = world.now
            raise

    async def probe(self) -> None:
        await self._call(self._inner.probe)

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        self._world.reference.append_started(entries)
        try:
            return await self._append(entries)
        except BaseException:
            self._world.reference.append_failed(self._process, entries, self._world.now)
            raise

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendResult | Exception]:
        """Append the batches. An error of one of them reaches its room with the last outcome, and counts until then."""
        outcomes = await super().append_all(batches)
        if any(isinstance(outcome, InjectedError) for outcome in outcomes):
            self._world.note_injected(self._process)
        return outcomes

    async def _append(self, entries: Sequence[Entry]) -> AppendResult:
        if self._world.faults.occurs("store: applied late"):
            delay = self._world.random.uniform(0, APPLIED_LATE_S)
            self._shared.call_later(partial(self._shared.append_late, entries), delay)
            await asyncio.sleep(min(delay, CALL_TIMEOUT_S) * self._world.random.random())
            self._process.port_failed_at = self._world.now
            raise Unavailable
        append = partial(self._shared.append, entries)
        return await self._call(partial(self._shared.call, append), STORE_WRITE_FAULTS)

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        return await self._call(partial(self._inner.read_on, room, after, limit, keys))

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        return await self._call(
            partial(self._inner.window, user, room, anchor, before, after, messages_only=messages_only)
        )

    async def state(self, room: RoomId) -> RoomState:
        return await self._call(partial(self._inner.state, room))

    async def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        return await self._call(partial(self._inner.members, user, room, after, limit))

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        return await self._call(partial(self._inner.memberships, user, room))

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        return await self._call(partial(self._inner.catch_up, user, cursors, limit, size))

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        return await self._call(partial(self._inner.changes, after, limit))

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        return await self._call(partial(self._inner.page, user, after, limit))

    async def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        return await self._call(partial(self._inner.public_rooms, user, prefix, after, limit))

    async def unread_total(self, user: UserId) -> UnreadTotal:
        return await self._call(partial(self._inner.unread_total, user))

    async def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return await self._call(partial(self._inner.acquaintances, user, others))

    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return await self._call(partial(self._inner.fellow_members, user, others))

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        return await self._call(partial(self._inner.views, room, users))

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        return await self._call(partial(self._inner.markers, room, users))

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        return await self._call(partial(self._inner.mark, user, room, change), STORE_WRITE_FAULTS)

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        await self._call(partial(self._inner.block, user, other, limit), STORE_WRITE_FAULTS)

    async def unblock(self, user: UserId, other: UserId) -> None:
        await self._call(partial(self._inner.unblock, user, other), STORE_WRITE_FAULTS)

    async def blocks(self, user: UserId) -> Sequence[UserId]:
        return await self._call(partial(self._inner.blocks, user))

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        return await self._call(partial(self._inner.blocks_among, pairs))

    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        return await self._call(partial(self._inner.new_blocks, after))

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        await self._call(partial(self._inner.note_last_seen, times), STORE_WRITE_FAULTS)

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        return await self._call(partial(self._inner.last_seen, users))


@define
class _Lease:
    socket: SocketInfo
    renewed_at: float


class SharedRegistry(_Service):
    """The registry of all nodes, with the leases that it must hold after the calls that have reached it."""

    def __init__(self, world: World, inner: SocketRegistry) -> None:
        super().__init__(world)
        self.inner = inner
        self._leases: dict[str, _Lease] = {}

    def known(self, user: UserId) -> list[SocketInfo]:
        """Return the sockets of a user that the registry must show now and for some seconds more."""
        since = self.world.now - LEASE_VALID_S
        leases = self._leases.values()
        return [lease.socket for lease in leases if lease.socket.user == user and lease.renewed_at > since]

    async def add(self, socket: SocketInfo) -> None:
        await self.inner.add(socket)
        if any(listed.id == socket.id for listed in await self.inner.of_user(socket.user)):
            self._leases[socket.id] = _Lease(socket, self.world.now)

    async def remove(self, socket: SocketInfo) -> None:
        self._leases.pop(socket.id, None)
        await self.inner.remove(socket)

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        renewed = await self.inner.renew(node, sockets)
        for socket in sockets:
            if socket.id in self._leases and socket.id not in renewed.lost:
                self._leases[socket.id].renewed_at = self.world.now
        return renewed

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        for socket in sockets:
            self._leases.pop(socket.id, None)
        await self.inner.revoke(sockets, code)


class FaultyRegistry(SocketRegistry):
    """The registry as one node reaches it."""

    def __init__(self, shared: SharedRegistry, process: Process) -> None:
        self._shared = shared
        self._world = shared.world
        self._process = process
        self._failing_calls = 0
        self._disturbed_at = float("-inf")

    def disturbed_since(self, moment: float) -> bool:
        """Return whether a call of this node went wrong at ``moment`` or later."""
        return bool(self._failing_calls) or self._disturbed_at >= moment

    async def _call(self, call: Call[T]) -> T:
        if self._process.killed:
            raise Unavailable  # the tasks of a crashed node end, and reach nothing
        call = partial(self._shared.call, call)
        faults = self._world.faults
        if faults.occurs("registry: applied late"):
            return await self._disturbed(self._apply_late(call))
        if fault := faults.draw(REGISTRY_FAULTS):
            return await self._disturbed(_call_with_fault(self._world, self._process, fault, call))
        return await _call_with_fault(self._world, self._process, None, call)

    async def _disturbed(self, failing: Awaitable[T]) -> T:
        self._failing_calls += 1
        try:
            return await failing
        finally:
            self._failing_calls -= 1
            self._disturbed_at = self._world.now

    async def _apply_late(self, call: Call[T]) -> T:
        delay = self._world.random.uniform(0, APPLIED_LATE_S)
        self._shared.call_later(call, delay)
        await asyncio.sleep(min(delay, CALL_TIMEOUT_S) * self._world.random.random())
        raise Unavailable

    async def add(self, socket: SocketInfo) -> None:
        await self._call(partial(self._shared.add, socket))

    async def remove(self, socket: SocketInfo) -> None:
        await self._call(partial(self._shared.remove, socket))

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        renewed = await self._call(partial(self._shared.renew, node, sockets))
        if renewed.lost:
            # The node enters them again before its next renewal.
            self._disturbed_at = self._world.now + len(renewed.lost) * self._world.profile.delay_max_s
        return renewed

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        return await self._call(partial(self._shared.inner.of_user, user))

    async def presence(self, users: Collection[UserId], but: str) -> Mapping[UserId, SeenUser]:
        try:
            return await self._call(partial(self._shared.inner.presence, users, but))
        except Unavailable:
            self._process.port_failed_at = self._world.now
            raise

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        await self._call(partial(self._shared.revoke, sockets, code))


class SharedBus:
    """The bus of all nodes.

    Args:
        check_received: Called when a node has received the hint `RevocationHint`, with the sockets that it names.
    """

    def __init__(self, world: World, check_received: Callable[[Process, Collection[str]], None]) -> None:
        self.world = world
        self.check_received = check_received
        self.subscriptions: dict[Process, BusSubscription] = {}

    def deliver(self, hint: Hint, subscription: "BusSubscription") -> None:
        """Deliver a hint to one node: once, twice or never."""
        world = self.world
        match world.faults.draw(BUS_FAULTS):
            case "hint: lost":
                return
            case "hint: duplicated":
                world.call_later(world.delay(), subscription.put, hint)
                world.call_later(world.delay(), subscription.put, hint)
            case "hint: late":
                world.call_later(world.random.uniform(0, HINT_LATE_S), subscription.put, hint)
            case _:
                world.call_later(world.delay(), subscription.put, hint)


class BusSubscription:
    """The subscription of one node. A task of its own hands the hints over, as a connection does.

    It is not a generator: after a crash a generator would end when it is collected, and that time is not deterministic.
    """

    def __init__(self, shared: SharedBus, process: Process, receive: Callable[[Hint], None]) -> None:
        self._shared, self._process, self._receive = shared, process, receive
        self._hints: list[Hint] = []
        self._changed = asyncio.Event()

    def put(self, hint: Hint) -> None:
        self._hints.append(hint)
        self._changed.set()

    async def _listen(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            hints, self._hints = self._hints, []
            for hint in hints:
                self._receive(hint)
                if isinstance(hint, RevocationHint):
                    self._shared.check_received(self._process, hint.sockets)

    async def __aenter__(self) -> None:
        self._shared.subscriptions[self._process] = self
        self._task = self._process.start(self._listen())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._shared.subscriptions.pop(self._process, None)
        self._task.cancel()


class FaultyBus(Bus):
    """The bus as one node reaches it."""

    def __init__(self, shared: SharedBus, process: Process) -> None:
        self._shared = shared
        self._process = process

    async def publish(self, hints: Sequence[Hint]) -> None:
        if self._shared.world.faults.occurs("bus: unavailable"):
            raise Unavailable
        for hint in hints:
            for subscription in self._shared.subscriptions.values():
                self._shared.deliver(hint, subscription)

    def subscribe(self, receive: Callable[[Hint], None]) -> BusSubscription:
        return BusSubscription(self._shared, self._process, receive)
