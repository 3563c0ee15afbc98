"""The deadlines at which the access of sockets ends."""

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
from attrs import define

WARNING = timedelta(seconds=60)
"""A socket is warned this long before its deadline."""
CHECK_INTERVAL_S = 1
"""Seconds between two checks of the deadlines."""


@define
class _Deadline:
    end: datetime
    warn_from: datetime
    warned: bool = False


class AccessExpiry:
    """A deadline in wall-clock time for each socket, checked once a second.

    Args:
        now: returns the present UTC time.
        warn: called once per deadline with the socket's id and the deadline, `WARNING` before it or later (see `set`).
        expire: called at the deadline with the socket's id.
    """

    def __init__(
        self, now: Callable[[], datetime], warn: Callable[[str, datetime], None], expire: Callable[[str], None]
    ) -> None:
        self._now = now
        self._warn = warn
        self._expire = expire
        self._ends: dict[str, _Deadline] = {}

    def set(self, socket: str, at: datetime) -> None:
        """Set or replace the deadline of a socket.

        If it is less than `WARNING` away, a first deadline warns at once, and one that replaces another at half of the
        time: a client that refreshes at each warning would otherwise do so without a pause.
        """
        deadline = self._ends.get(socket)
        if deadline is not None and deadline.end == at:
            return
        now = self._now()
        left = at - now
        warn_from = now + left / 2 if deadline and left < WARNING else at - WARNING
        self._ends[socket] = _Deadline(at, warn_from)
        self._warn_of(socket, self._ends[socket], now)

    def forget(self, socket: str) -> None:
        """Remove the deadline of a socket, if it has one."""
        self._ends.pop(socket, None)

    async def watch(self) -> None:
        """Warn and expire the sockets that are due, then wait for a second."""
        now = self._now()
        for socket, deadline in tuple(self._ends.items()):
            self._warn_of(socket, deadline, now)
            if deadline.end <= now:
                self.forget(socket)
                self._expire(socket)
        await anyio.sleep(CHECK_INTERVAL_S)

    def _warn_of(self, socket: str, deadline: _Deadline, now: datetime) -> None:
        if deadline.warn_from <= now and not deadline.warned:
            deadline.warned = True
            self._warn(socket, deadline.end)
