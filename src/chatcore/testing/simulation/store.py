"""A store between which and a node things go wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from ...domain.entries import Entry
from ...domain.state import Marker, MarkerUpdate, RoomState, RoomView
from ...errors import Unavailable
from ...ids import Key, RoomId, Seq, UserId
from ...ports.entry_log import Anchor, AppendResult, Changes, LogSlice, Position, RoomCatchUp, RoomMembership, Window
from ...ports.room_views import RoomPage
from ...ports.store import Store
from .calls import TIMEOUT_S, Call, carry_out, faults_of
from .owners import Owner
from .world import World

LATE_S = 8
FAULTS = faults_of("store")
READ_FAULTS = faults_of("store", read=True)


class StoreWorld:
    """The one store of a world, as the network has it: what is away, and what is still on its way there."""

    def __init__(self, world: World, inner: Store) -> None:
        self.world = world
        self.inner = inner
        self.owner = Owner()
        self.away_until = 0.0

    def land(self, entries: Sequence[Entry], seconds: float) -> None:
        """Write ``entries`` later, whatever has become of whoever sent them."""
        self.owner.start(self._land(entries, seconds))

    async def _land(self, entries: Sequence[Entry], seconds: float) -> None:
        await asyncio.sleep(seconds)
        appended = await self._append(entries)
        self.world.tell("store: %s of %s %s landed late", appended.written, entries[0].room, entries[0].seq)

    async def write(self, entries: Sequence[Entry]) -> AppendResult:
        """Write ``entries`` now: what has reached the store is carried out, whatever becomes of who waits for it."""
        return await asyncio.shield(self.owner.start(self._append(entries)))

    async def _append(self, entries: Sequence[Entry]) -> AppendResult:
        appended = await self.inner.append(entries)
        self.world.truth.lands(entries[: appended.written], self.world.now)
        return appended

    async def landed(self) -> None:
        """Return when nothing is on its way any more."""
        while self.owner.living():
            await asyncio.wait(self.owner.living())


class FaultyStore(Store):
    """One node's way to the store."""

    def __init__(self, around: StoreWorld, node: Owner) -> None:
        self._around = around
        self._node = node
        self._world = around.world
        self._inner = around.inner
        self.epoch = around.world.epoch
        self.away_until = 0.0

    async def __aenter__(self) -> Self:
        self.epoch = self._world.epoch
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def _call(self, call: Call, faults: tuple[str, ...] = READ_FAULTS) -> Any:
        """One call, as it goes."""
        try:
            return await self._carry(call, faults)
        except Unavailable:
            self._node.failed_at = self._world.now
            raise

    async def _carry(self, call: Call, faults: tuple[str, ...]) -> Any:
        world = self._world
        if world.now < max(self.away_until, self._around.away_until) and not world.faults.over:
            await asyncio.sleep(world.delay())
            raise Unavailable
        return await carry_out(world, self._node, world.faults.one_of(faults), call)

    async def probe(self) -> None:
        await self._call(self._inner.probe)

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        self._world.truth.begins(entries)
        try:
            return await self._append(entries)
        except BaseException:
            for entry in entries:
                tries = self._world.truth.unsure.setdefault((self._node, entry.author, entry.key), [])
                tries.append((self._world.now, entry.seq))
            raise

    async def _append(self, entries: Sequence[Entry]) -> AppendResult:
        if self._world.faults.happens("store: lands late"):
            delay = self._world.random.uniform(0, LATE_S)
            self._around.land(entries, delay)
            await asyncio.sleep(min(delay, TIMEOUT_S) * self._world.random.random())
            self._node.failed_at = self._world.now
            raise Unavailable
        found: AppendResult = await self._call(partial(self._around.write, entries), FAULTS)
        return found

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        found: LogSlice = await self._call(partial(self._inner.read_on, room, after, limit, keys))
        return found

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        call = partial(self._inner.window, user, room, anchor, before, after, messages_only=messages_only)
        found: Window = await self._call(call)
        return found

    async def state(self, room: RoomId) -> RoomState:
        found: RoomState = await self._call(partial(self._inner.state, room))
        return found

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        found: Sequence[RoomMembership] = await self._call(partial(self._inner.memberships, user, room))
        return found

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        found: Mapping[RoomId, RoomCatchUp] = await self._call(
            partial(self._inner.catch_up, user, cursors, limit, size)
        )
        return found

    async def changes(self, after: Position | None, limit: int) -> Changes:
        found: Changes = await self._call(partial(self._inner.changes, after, limit))
        return found

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        found: RoomPage = await self._call(partial(self._inner.page, user, after, limit))
        return found

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        found: Mapping[UserId, RoomView] = await self._call(partial(self._inner.views, room, users))
        return found

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        found: Mapping[UserId, Marker] = await self._call(partial(self._inner.markers, room, users))
        return found

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        found: RoomView | None = await self._call(partial(self._inner.mark, user, room, change), FAULTS)
        return found
