"""A bus that loses, doubles, delays and so reorders hints."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from types import TracebackType

from ...errors import Unavailable
from ...ports.bus import Bus, Hint, RevocationHint
from .owners import Owner
from .world import World

LATE_S = 3
FAULTS = ("hint: lost", "hint: doubled", "hint: late")


class BusWorld:
    """The one bus of a world: who listens."""

    def __init__(self, world: World, checks: Callable[[Owner, Collection[str]], None]) -> None:
        self.world = world
        self.checks = checks
        """Notes that a node has heard which sockets may have been revoked."""
        self.listeners: dict[Owner, Subscription] = {}

    def carry(self, hint: Hint, to: "Subscription") -> None:
        """Take a hint to one listener, once, twice or never."""
        match self.world.faults.one_of(FAULTS):
            case "hint: lost":
                return
            case "hint: doubled":
                self.world.later(self.world.delay(), to.take, hint)
                self.world.later(self.world.delay(), to.take, hint)
            case "hint: late":
                self.world.later(self.world.random.uniform(0, LATE_S), to.take, hint)
            case _:
                self.world.later(self.world.delay(), to.take, hint)


class Subscription:
    """What one node hears, in a task of its own, as over a connection.

    Not a generator: one that a crash leaves behind would end when the garbage is collected, at no certain time.
    """

    def __init__(self, around: BusWorld, owner: Owner, receive: Callable[[Hint], None]) -> None:
        self._around, self._owner, self._receive = around, owner, receive
        self._came: list[Hint] = []
        self._filled = asyncio.Event()

    def take(self, hint: Hint) -> None:
        self._came.append(hint)
        self._filled.set()

    async def _listen(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            came, self._came = self._came, []
            for hint in came:
                self._receive(hint)
                if isinstance(hint, RevocationHint):
                    self._around.checks(self._owner, hint.sockets)

    async def __aenter__(self) -> None:
        self._around.listeners[self._owner] = self
        self._task = self._owner.start(self._listen())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._around.listeners.pop(self._owner, None)
        self._task.cancel()


class FaultyBus(Bus):
    """One node's way to the bus."""

    def __init__(self, around: BusWorld, owner: Owner) -> None:
        self._around = around
        self._owner = owner

    async def publish(self, hints: Sequence[Hint]) -> None:
        if self._around.world.faults.happens("bus: away"):
            raise Unavailable
        for hint in hints:
            for listener in self._around.listeners.values():
                self._around.carry(hint, listener)

    def subscribe(self, receive: Callable[[Hint], None]) -> Subscription:
        return Subscription(self._around, self._owner, receive)
