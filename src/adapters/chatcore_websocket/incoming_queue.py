"""The messages of a client that wait for their handler."""

import asyncio
from collections import deque

MESSAGES_MAX = 256
"""Messages that a queue takes before it is full."""
CHARACTERS_MAX = 256 * 1024
"""Characters of messages that a queue takes before it is full."""


class IncomingQueue:
    """Messages of a client that the handler has not taken yet, in their order.

    When the queue is full the receiver stops reading, and TCP slows the client down. So a client that sends many
    commands without waiting for answers is slowed, and not cut.
    """

    __slots__ = ("_available", "_characters", "_is_closed", "_loop", "_messages", "_space", "taken")

    def __init__(self) -> None:
        self.taken: int = 0
        """Number of messages taken so far."""
        self._loop = asyncio.get_running_loop()
        self._messages: deque[str] = deque()
        self._characters = 0
        self._is_closed = False
        self._available: asyncio.Future[None] | None = None
        """Done when the handler, which waits, can take a message or the queue is closed."""
        self._space: asyncio.Future[None] | None = None
        """Done when the receiver, which waits, may put messages again."""

    @property
    def is_full(self) -> bool:
        return len(self._messages) >= MESSAGES_MAX or self._characters >= CHARACTERS_MAX

    @property
    def is_receiver_waiting(self) -> bool:
        """Whether the future of `space` is not done."""
        return self._space is not None

    def put(self, message: str) -> None:
        """Add a message. If the queue `is_full` then, wait for `space` before the next."""
        self._messages.append(message)
        self._characters += len(message)
        _wake(self._available)

    def space(self) -> asyncio.Future[None]:
        """Return a future that is done once the queue is at most half full, or closed."""
        if self._space is None:
            self._space = self._loop.create_future()
        return self._space

    async def take(self) -> str | None:
        """Wait for the next message. Returns None if the queue is closed and empty."""
        while not self._messages:
            if self._is_closed:
                return None
            self._available = self._loop.create_future()
            try:
                await self._available
            finally:
                self._available = None
        message = self._messages.popleft()
        self._characters -= len(message)
        self.taken += 1
        if (
            self._space is not None
            and len(self._messages) <= MESSAGES_MAX // 2
            and self._characters <= CHARACTERS_MAX // 2
        ):
            self._wake_receiver()
        return message

    def close(self) -> None:
        """Mark the end of the messages. Those in the queue can still be taken."""
        self._is_closed = True
        _wake(self._available)
        self._wake_receiver()

    def clear(self) -> None:
        """Drop all messages in the queue."""
        self._messages.clear()
        self._characters = 0

    def _wake_receiver(self) -> None:
        _wake(self._space)
        self._space = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
