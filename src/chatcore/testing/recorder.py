"""A connection that records its pushes."""

from collections.abc import Callable

import anyio

from ..domain.entries import Entry, Message
from ..ids import RoomId, new_id
from ..ports.pushes import Bye, Push, Ready, Room


class Recorder:
    """A `Connection` for tests. ``pushes`` has all pushes in their order; `until` waits for them."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        self._id = id or new_id()
        self.pushes: list[Push] = []
        self.bye: Bye | None = None
        self._changed = anyio.Event()

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        if self.bye is None:
            self.pushes.append(push)
            self._notify()

    def close(self, bye: Bye) -> None:
        if self.bye is None:
            self.bye = bye
            self._notify()

    async def drained(self) -> None:
        """Return at once: a recorder takes every push immediately."""

    @property
    def ready(self) -> Ready:
        """The body of the first push, which is `ready`. Raises IndexError before the first push."""
        body = self.pushes[0].body
        if not isinstance(body, Ready):
            raise TypeError("the first push was not ready")
        return body

    def entries(self, room: RoomId) -> list[Entry]:
        """Return the pushed entries of a room in their order."""
        return [body for push in self.pushes if isinstance(body := push.body, Entry) and body.room == room]

    def bodies(self, room: RoomId) -> list[str]:
        """Return the bodies of the pushed messages of a room in their order."""
        return [entry.event.body for entry in self.entries(room) if isinstance(entry.event, Message)]

    def rooms(self, room: RoomId) -> list[Room]:
        """Return the bodies of the `room` pushes of a room."""
        return [body for push in self.pushes if isinstance(body := push.body, Room) and body.view.room == room]

    async def until(self, condition: Callable[["Recorder"], bool], within: float = 15) -> None:
        """Return once ``condition`` holds. Raises TimeoutError after ``within`` seconds."""
        with anyio.fail_after(within):
            while not condition(self):
                if self._changed.is_set():
                    self._changed = anyio.Event()
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
