"""A memory store and a bus whose calls and hints a test can delay, fail or lose."""

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
    """Delays one call. ``reached`` is set when the call waits at the gate; `open` lets the call continue."""

    done: bool
    fails: bool
    reached: anyio.Event = field(factory=anyio.Event)
    opened: anyio.Event = field(factory=anyio.Event)

    def open(self) -> None:
        self.opened.set()

    async def wait(self) -> None:
        self.reached.set()
        await self.opened.wait()


class HeldStore(MemoryStore):
    """A memory store that can delay or fail the next call of an operation, before or after the call takes effect."""

    def __init__(self) -> None:
        super().__init__()
        self._gates: dict[str, list[Gate]] = {}
        self.calls: list[str] = []

    def hold(self, operation: str, *, done: bool) -> Gate:
        """Delay the next call of ``operation``: if ``done`` after the call has taken effect, otherwise before."""
        gate = Gate(done, fails=False)
        self._gates.setdefault(operation, []).append(gate)
        return gate

    def fail(self, operation: str, *, done: bool) -> None:
        """Make the next call of ``operation`` raise `Unavailable`: if ``done`` after the call has taken effect."""
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
            await gate.wait()
        else:
            await gate.wait()
            result = None if gate.fails else await carry_out(call)
        if gate.fails:
            raise Unavailable
        return result

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        result: AppendResult = await self._held("append", partial(super().append, entries))
        return result

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        result: LogSlice = await self._held("read_on", partial(super().read_on, room, after, limit, keys))
        return result

    async def state(self, room: RoomId) -> RoomState:
        result: RoomState = await self._held("state", partial(super().state, room))
        return result

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        result: Sequence[RoomMembership] = await self._held("memberships", partial(super().memberships, user, room))
        return result

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        result: RoomPage = await self._held("page", partial(super().page, user, after, limit))
        return result

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        result: Mapping[RoomId, RoomCatchUp] = await self._held(
            "catch_up", partial(super().catch_up, user, cursors, limit, size)
        )
        return result


class HeldBus(Bus):
    """A bus that queues hints in ``hints``. A test delivers, loses or repeats them."""

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
        """Return once ``count`` hints are queued."""
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


class EventRecorder(Recorder):
    """A recorder that lists pushes and answers in their order in ``events``."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def send(self, push: Push) -> None:
        if self.bye is not None:
            return
        super().send(push)
        body = push.body
        self.events.append(f"entry {body.seq}" if isinstance(body, Entry) else push.event)

    def answer(self, answer: dict[str, Any]) -> None:
        self.events.append(f"answer {answer.get('seq')}" if answer["ok"] else f"answer {answer['error']['code']}")
        self._notify()


def seqs(recorder: Recorder, room: RoomId) -> list[Seq]:
    return [entry.seq for entry in recorder.entries(room)]


def live_objects(*chats: Chat) -> list[object]:
    """Return the rooms and users that are live in the Chats."""
    return [live for chat in chats for live in (*chat._hub._rooms.values(), *chat._hub._users.values())]
