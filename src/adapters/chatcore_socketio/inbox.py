"""Packets that a client has sent and the dispatcher has not taken: bounded, in their order."""

import asyncio
from collections import deque

FRAMES_MAX = 256
BYTES_MAX = 256 * 1024


class Inbox:
    """A queue of packets from one receiver to one dispatcher.

    When it is full the receiver stops reading, and TCP slows the client down: a client that pipelines is slowed, not
    cut. A text message above the bound is a `TruncatedText`.
    """

    __slots__ = ("_characters", "_closed", "_filled", "_packets", "_room", "taken")

    def __init__(self) -> None:
        self.taken = 0
        """How many packets have been taken: whether it grows tells whether the dispatcher gets on."""
        self._packets: deque[str] = deque()
        self._characters = 0
        self._closed = False
        self._filled: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        return len(self._packets) >= FRAMES_MAX or self._characters >= BYTES_MAX

    @property
    def holds_up_the_reader(self) -> bool:
        return self._room is not None

    def put(self, packet: str) -> None:
        """Add a packet; where it makes the inbox `full`, wait for `room` next."""
        self._packets.append(packet)
        self._characters += len(packet)
        _wake(self._filled)

    def room(self) -> asyncio.Future[None]:
        """Return a future that is done once half of the bound is free, or the inbox has been closed."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    async def take(self) -> str | None:
        """The next packet; None when the inbox is closed and empty."""
        while not self._packets:
            if self._closed:
                return None
            self._filled = asyncio.get_running_loop().create_future()
            try:
                await self._filled
            finally:
                self._filled = None
        packet = self._packets.popleft()
        self._characters -= len(packet)
        self.taken += 1
        if self._room is not None and len(self._packets) <= FRAMES_MAX // 2 and self._characters <= BYTES_MAX // 2:
            self._wake_reader()
        return packet

    def close(self) -> None:
        """Nothing comes any more; what is there can still be taken."""
        self._closed = True
        _wake(self._filled)
        self._wake_reader()

    def clear(self) -> None:
        """Forget what is there."""
        self._packets.clear()
        self._characters = 0

    def _wake_reader(self) -> None:
        _wake(self._room)
        self._room = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
