"""A count of commands in flight that a task can wait on."""

import anyio


class InFlight:
    """Counts commands that are queued or running and not answered.

    Args:
        whole: a counter that also counts these commands, and has no such counter itself: for a socket's counter, the
            counter of the Chat.
    """

    def __init__(self, whole: "InFlight | None" = None) -> None:
        self.count: int = 0
        self._whole = whole
        self._closed = False
        self._fewer: anyio.Event | None = None
        """Set when a command is answered; None if no task waits."""

    def add(self) -> None:
        """Count a command."""
        self.count += 1
        if self._whole:
            self._whole.count += 1

    def done(self) -> None:
        """Uncount a command that was answered."""
        self.count -= 1
        if self._fewer is not None:
            self._notify()
        if self._whole:
            self._whole.done()

    def close(self) -> None:
        """Let all waiting tasks continue, and no further task wait."""
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
