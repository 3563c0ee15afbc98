"""One connection of the client: its handler, and how it ended."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from .transport import Connection, Object, Transport

READY_S = 10.0
"""Seconds for an attempt to connect, as long as the server gives it."""
ANSWER_S = 10.0
"""Seconds after which a command without an answer means that the connection is dead."""
BROKEN = 1006
"""The close code of a connection that broke."""


@frozen
class End:
    """How a connection ended.

    Attributes:
        code: the close code.
        refusal: the error object of a `connect_error`.
        bye: the object of the push `bye`.
    """

    code: int = BROKEN
    refusal: Object | None = None
    bye: Object | None = None

    @property
    def is_unauthenticated(self) -> bool:
        """Whether the server refused the token."""
        return self.refusal is not None and self.refusal.get("code") == "unauthenticated"


class ConnectionEvents(Protocol):
    """What a connection tells the client."""

    def ready(self, body: Object) -> None: ...

    def pushed(self, event: str, body: Object) -> None: ...

    def answered(self, number: int, answer: Object) -> None: ...

    def broken(self, end: End) -> None: ...


class Link:
    """One connection, from the attempt to its end. It watches that the server answers in time."""

    def __init__(self, events: ConnectionEvents, transport: Transport, token: str) -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[End] = self._loop.create_future()
        self.was_ready: bool = False
        self._deadlines: dict[int, asyncio.TimerHandle] = {}
        self._ready_deadline = self._loop.call_later(READY_S, self.give_up)
        self._connection: Connection = transport.open(token, self)

    def send(self, number: int, event: str, data: Object) -> None:
        """Send a command. Its answer is awaited for `ANSWER_S`."""
        self._deadlines[number] = self._loop.call_later(ANSWER_S, self.give_up)
        self._connection.send(event, data, lambda answer: self._answered(number, answer))

    def give_up(self) -> None:
        """Close the connection, which counts as a break."""
        self._connection.close()
        self._end(End())

    # What the connection tells.

    def pushed(self, event: str, data: Object) -> None:
        if self.ended.done():
            return
        if event == "bye":
            self._connection.close()
            self._end(End(bye=data))
        elif self.was_ready:
            self._take(self._events.pushed, event, data)
        elif event == "ready":
            self.was_ready = True
            self._ready_deadline.cancel()
            self._take(self._events.ready, data)

    def refused(self, error: Object) -> None:
        self._end(End(refusal=error))

    def closed(self, code: int) -> None:
        self._end(End(code=code))

    def _answered(self, number: int, answer: Object) -> None:
        deadline = self._deadlines.pop(number, None)
        if deadline and not self.ended.done():
            deadline.cancel()
            self._take(self._events.answered, number, answer)

    def _take(self, take: Callable[..., None], *arguments: object) -> None:
        """Let the client take a frame. A frame that it can't take ends the connection."""
        try:
            take(*arguments)
        except Exception as error:  # noqa: BLE001 - the caller would only log it, and the client go on without the frame
            self._loop.call_exception_handler({"message": "A frame could not be taken", "exception": error})
            self.give_up()

    def _end(self, end: End) -> None:
        if self.ended.done():
            return
        self.ended.set_result(end)
        self._ready_deadline.cancel()
        for deadline in self._deadlines.values():
            deadline.cancel()
        self._events.broken(end)
