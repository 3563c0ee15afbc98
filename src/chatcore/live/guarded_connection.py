"""A connection that contains the exceptions of a host's connection."""

import logging
from asyncio import CancelledError
from collections.abc import Callable
from typing import Final

from ..ports.connection import Connection
from ..ports.pushes import Bye, Push

BYE_SLOW = Bye(code="slow")
"""The client lacks a push, and gets it when it connects again: the code must be resumable."""

log: Final = logging.getLogger(__name__)


class GuardedConnection:
    """The `Connection` that the domain uses in place of the host's own.

    A host's connection that raises is cut: it is closed with `bye slow` and gets no further push. The exception is
    logged once and does not reach the caller, which continues with the other sockets.
    """

    __slots__ = ("_closed", "_connection", "_failed", "_id", "_send")

    def __init__(self, connection: Connection) -> None:
        self._id = connection.id
        self._connection = connection
        self._send: Callable[[Push], None] = connection.send
        self._closed = self._failed = False

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        try:
            self._send(push)
        except (Exception, CancelledError) as fault:  # noqa: BLE001  # CancelledError: of a future
            self._cut(fault)

    def close(self, bye: Bye) -> None:
        if self._closed:
            return
        self._closed, self._send = True, _drop
        try:
            self._connection.close(bye)
        except (Exception, CancelledError) as fault:  # noqa: BLE001
            self._note(fault)

    async def drained(self) -> None:
        try:
            await self._connection.drained()
        except Exception as fault:  # noqa: BLE001
            self._cut(fault)

    def _cut(self, fault: BaseException) -> None:
        self._note(fault)
        self.close(BYE_SLOW)

    def _note(self, fault: BaseException) -> None:
        if not self._failed:
            self._failed = True
            log.error("connection failed and was cut: socket=%r", self._id, exc_info=fault)


def _drop(_: Push) -> None:
    """Drop a push to a closed connection."""
