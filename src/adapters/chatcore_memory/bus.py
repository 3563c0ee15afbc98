"""Hints between several Chats of one process."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio.lowlevel import checkpoint

from chatcore.ports.bus import Bus, Hint


class MemoryBus(Bus):
    """Gives every hint at once to every subscriber, also to the publishing node. Loses nothing."""

    def __init__(self) -> None:
        self._receivers: dict[object, Callable[[Hint], None]] = {}

    async def publish(self, hints: Sequence[Hint]) -> None:
        await checkpoint()
        for hint in hints:
            for receive in tuple(self._receivers.values()):
                receive(hint)

    @asynccontextmanager
    async def subscribe(self, receive: Callable[[Hint], None]) -> AsyncGenerator[None, None]:
        subscription = object()
        self._receivers[subscription] = receive
        try:
            yield
        finally:
            del self._receivers[subscription]
