"""Nodes of one chat whose store and bus a test can hold up: both are the real ones, with a hand on them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from attrs import define, field

from chatcore import Chat, Entry, Push, Unavailable
from chatcore.domain.state import RoomState
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.bus import Bus, Hint
from chatcore.ports.entry_log import AppendResult, LogSlice
from chatcore.ports.room_views import RoomCatchUp, RoomMembership, RoomPage
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore
from tests.unit.outer_calls import carry_out, is_outer


@define(eq=False)
class Gate:
    """Holds up one call. ``reached`` is set when it stands there; it goes on after `open`."""

    done: bool
    fails: bool
    reached: anyio.Event = field(factory=anyio.Event)
    opened: anyio.Event = field(factory=anyio.Event)

    def open(self) -> None:
        self.opened.set()

    async def stand(self) -> None:
        self.reached.set()
        await self.opened.wait()


class HeldStore(MemoryStore):
    """A memory store whose next call of an operation can be held up or fail, before or after it is carried out."""

    def __init__(self) -> None:
        super().__init__()
        self._gates: dict[str, list[Gate]] = {}
        self.calls: list[str] = []

    def hold(self, operation: str, *, done: bool) -> Gate:
        """Hold up the next call of ``operation``: ``done``: when it has been carried out, else before."""
        gate = Gate(done, fails=False)
        self._gates.setdefault(operation, []).append(gate)
        return gate

    def fail(self, operation: str, *, done: bool) -> None:
        """Let the next call of ``operation`` raise `Unavailable`: after it was carried out, or instead."""
        gate = Gate(done, fails=True)
        gate.open()
        self._gates.setdefault(operation, []).append(gate)

    async def _held(self, operation: str, call: Callable[[], Any]) -> Any:
        if not is_outer():
            return await call()
        self.calls.append(operation)
        gates = self._gates.get(operation)
        gate = gates.pop(0) if gates else None
        if gate is None:
            return await carry_out(call)
        if gate.done:
            result = await carry_out(call)
            await gate.stand()
        else:
            await gate.stand()
            result = None if gate.fails else await carry_out(call)
        if gate.fails:
            raise Unavailable
        return result

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        found: AppendResult = await self._held("append", partial(super().append, entries))
        return found

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        found: LogSlice = await self._held("read_on", partial(super().read_on, room, after, limit, keys))
        return found

    async def state(self, room: RoomId) -> RoomState:
        found: RoomState = await self._held("state", partial(super().state, room))
        return found

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        found: Sequence[RoomMembership] = await self._held("memberships", partial(super().memberships, user, room))
        return found

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        found: RoomPage = await self._held("page", partial(super().page, user, after, limit))
        return found

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        found: Mapping[RoomId, RoomCatchUp] = await self._held(
            "catch_up", partial(super().catch_up, user, cursors, limit, size)
        )
        return found


class HeldBus(Bus):
    """A bus whose hints the test delivers, loses or repeats: they wait in ``hints``."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self._receivers: list[Callable[[Hint], None]] = []
        self._published = anyio.Event()

    async def publish(self, hints: Sequence[Hint]) -> None:
        self.hints.extend(hints)
        self._published.set()

    @asynccontextmanager
    async def _subscription(self, receive: Callable[[Hint], None]) -> AsyncGenerator[None]:
        self._receivers.append(receive)
        try:
            yield
        finally:
            self._receivers.remove(receive)

    def subscribe(self, receive: Callable[[Hint], None]) -> Any:
        return self._subscription(receive)

    async def published(self, count: int) -> None:
        """Return once ``count`` hints wait."""
        while len(self.hints) < count:
            self._published = anyio.Event()
            await self._published.wait()

    def lose(self) -> None:
        self.hints.clear()

    def deliver(self) -> None:
        hints, self.hints = self.hints, []
        for hint in hints:
            for receive in self._receivers:
                receive(hint)


class Teller(Recorder):
    """A recorder that writes what it hears, and what its commands are answered, into one story."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[str] = []

    def send(self, push: Push) -> None:
        if self.bye is not None:
            return
        super().send(push)
        body = push.body
        self.story.append(f"entry {body.seq}" if isinstance(body, Entry) else push.event)

    def answer(self, answer: dict[str, Any]) -> None:
        self.story.append(f"answer {answer.get('seq')}" if answer["ok"] else f"answer {answer['error']['code']}")
        self._notify()


def seqs(recorder: Recorder, room: RoomId) -> list[Seq]:
    return [entry.seq for entry in recorder.entries(room)]


def ghosts(*chats: Chat) -> list[object]:
    """What is left alive in Chats that nobody uses any more."""
    return [one for chat in chats for one in (*chat._hub._rooms.values(), *chat._hub._users.values())]
