"""How much is under way, and waiting until it is little enough."""

import anyio


class InFlight:
    """A count of things under way. Once closed it holds nobody up any more."""

    def __init__(self) -> None:
        self._count = 0
        self._closed = False
        self._fewer = anyio.Event()

    def add(self) -> None:
        self._count += 1

    def done(self) -> None:
        self._count -= 1
        self._fewer.set()

    def close(self) -> None:
        self._closed = True
        self._fewer.set()

    async def at_most(self, count: int) -> None:
        """Return once no more than ``count`` are under way; at once where that is so already."""
        while self._count > count and not self._closed:
            if self._fewer.is_set():
                self._fewer = anyio.Event()
            await self._fewer.wait()
