"""How many commands are in flight, and waiting until they are few enough."""

import anyio


class InFlight:
    """Counts commands that are queued or running and not answered.

    Args:
        whole: counts the same commands among others: those of a socket are also in flight in its Chat.
    """

    def __init__(self, whole: "InFlight | None" = None) -> None:
        self.count = 0
        self._whole = whole
        self._closed = False
        self._fewer: anyio.Event | None = None
        """Set once a command is answered; None where no task waits for it."""

    def add(self) -> None:
        self.count += 1
        if self._whole:
            self._whole.add()

    def done(self) -> None:
        self.count -= 1
        if self._fewer is not None:
            self._notify()
        if self._whole:
            self._whole.done()

    def close(self) -> None:
        """Hold up no task any more."""
        self._closed = True
        self._notify()

    async def at_most(self, count: int) -> None:
        """Return once no more than ``count`` commands are in flight, or after `close`."""
        while self.count > count and not self._closed:
            if self._fewer is None:
                self._fewer = anyio.Event()
            await self._fewer.wait()

    def _notify(self) -> None:
        if self._fewer is not None:
            self._fewer.set()
            self._fewer = None
