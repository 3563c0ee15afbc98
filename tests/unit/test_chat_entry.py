"""A Chat is entered once, and completely or not at all."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeAlias

import anyio
import anyio.lowlevel
import pytest

from chatcore import Chat, SendMessage
from chatcore.ports.bus import Bus, Hint
from chatcore.ports.entry_log import Changes, FeedPosition
from chatcore_memory import MemoryBus, MemoryStore

pytestmark = pytest.mark.anyio

STEPS_MAX = 100


async def test_chat_entered_again_is_refused_and_the_store_serves_a_new_chat() -> None:
    store = MemoryStore()
    chat = Chat(store)
    async with chat:
        with pytest.raises(RuntimeError, match="a Chat can be entered once"):
            await chat.__aenter__()
        assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="1"))).seq == 1
    with pytest.raises(RuntimeError, match="a Chat can be entered once"):
        await chat.__aenter__()
    async with Chat(store) as other:
        assert (await other.execute("alice", SendMessage(to="bob", body="hi", key="2"))).seq == 2


class Steps:
    """Checkpoints at which a test cancels `__aenter__`. ``entered`` names the open parts."""

    def __init__(self) -> None:
        self.entered: list[str] = []

    async def wait(self) -> None:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()


class SlowStore(MemoryStore):
    """A store that waits in every method that `__aenter__` of a Chat calls, and notes when it is open."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    async def __aenter__(self) -> Self:
        await self._steps.wait()
        await super().__aenter__()
        self._steps.entered.append("store")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._steps.wait()
            await super().__aexit__(kind, error, traceback)
            self._steps.entered.remove("store")

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        await self._steps.wait()
        return await super().changes(after, limit)


class SlowBus(Bus):
    """A bus that waits in `subscribe`, and notes when it is subscribed."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._bus = MemoryBus()

    async def publish(self, hints: Sequence[Hint]) -> None:
        await self._bus.publish(hints)

    @asynccontextmanager
    async def _subscription(self, receive: Callable[[Hint], None]) -> AsyncGenerator[None]:
        await self._steps.wait()
        async with self._bus.subscribe(receive):
            self._steps.entered.append("bus")
            try:
                yield
            finally:
                self._steps.entered.remove("bus")

    def subscribe(self, receive: Callable[[Hint], None]) -> Any:
        return self._subscription(receive)


Cancel: TypeAlias = Callable[[Chat, int], Awaitable[bool]]
"""Enters a Chat, cancels after a number of checkpoints, and leaves it. Returns whether it had been entered."""


async def outcomes_of(cancel: Cancel) -> list[bool]:
    """Cancel `__aenter__` at every step, and check that nothing stays open."""
    before = {task.id for task in anyio.get_running_tasks()}
    outcomes: list[bool] = []
    for number in range(STEPS_MAX):
        steps = Steps()
        outcomes.append(await cancel(Chat(SlowStore(steps), bus=SlowBus(steps)), number))
        await anyio.wait_all_tasks_blocked()
        assert steps.entered == [], f"cancelled at step {number}"
        left = [task.name for task in anyio.get_running_tasks() if task.id not in before]
        assert left == [], f"cancelled at step {number}"
    return outcomes


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_enter_cancelled_with_its_task_at_any_step_leaves_nothing_open(anyio_backend: str) -> None:
    async def cancel(chat: Chat, steps: int) -> bool:
        entering = asyncio.create_task(chat.__aenter__())
        for _ in range(steps):
            await asyncio.sleep(0)
        if entering.done():
            await chat.__aexit__(None, None, None)
            return True
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        return False

    outcomes = await outcomes_of(cancel)
    assert (outcomes[0], outcomes[-1]) == (False, True)


async def test_enter_cancelled_by_a_scope_at_any_step_leaves_nothing_open() -> None:
    async def cancel(chat: Chat, steps: int) -> bool:
        entered = False
        scope = anyio.CancelScope()

        async def count() -> None:
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            if not entered:
                scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count)
            with scope:
                async with chat:
                    entered = True
        return entered

    outcomes = await outcomes_of(cancel)
    assert (outcomes[0], outcomes[-1]) == (False, True)
