"""A client that counts what it gets, and keeps nothing of it."""

import anyio

from chatcore import Bye, Push, Socket
from chatcore.protocol import Object


class CountingClient:
    """A connection that counts pushes and awaited answers."""

    def __init__(self, user: str) -> None:
        self.id = user
        self.pushed = 0
        self._awaited = 0
        self._all_answered = anyio.Event()

    def send(self, push: Push) -> None:
        self.pushed += 1

    def close(self, bye: Bye) -> None:
        raise AssertionError(bye)

    async def drained(self) -> None: ...

    async def talk(self, socket: Socket, to: str, key: str, count: int) -> None:
        """Send messages to a user, and return once all of them are answered."""
        self._awaited, self._all_answered = count, anyio.Event()
        for number in range(count):
            await socket.receive("message.send", {"to": to, "key": f"{key} {number}", "body": "x" * 200}, self._take)
        await self._all_answered.wait()

    def _take(self, answer: Object) -> None:
        assert answer["ok"], answer
        self._awaited -= 1
        if not self._awaited:
            self._all_answered.set()
