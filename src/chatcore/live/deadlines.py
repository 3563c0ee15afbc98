"""When sockets end because what they were opened with has run out, and the warning before."""

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
from attrs import define

WARNING = timedelta(seconds=60)
LOOK_S = 1


@define
class _Deadline:
    end: datetime
    warned: bool = False


class Deadlines:
    """Points in wall-clock time at which sockets expire, one for each; looked at once a second."""

    def __init__(
        self, now: Callable[[], datetime], warn: Callable[[str, datetime], None], expire: Callable[[str], None]
    ) -> None:
        self._now = now
        self._warn = warn
        self._expire = expire
        self._ends: dict[str, _Deadline] = {}

    def set(self, socket: str, at: datetime) -> None:
        """The socket expires at ``at``, and not when it was said before; `WARNING` earlier, or now, it is warned."""
        found = self._ends.get(socket)
        if found is None or found.end != at:
            self._ends[socket] = _Deadline(at)
            self._warn_of(socket, self._ends[socket], self._now())

    def forget(self, socket: str) -> None:
        self._ends.pop(socket, None)

    async def watch(self) -> None:
        """Warn and expire; then wait for a second."""
        now = self._now()
        for socket, deadline in tuple(self._ends.items()):
            self._warn_of(socket, deadline, now)
            if deadline.end <= now:
                self.forget(socket)
                self._expire(socket)
        await anyio.sleep(LOOK_S)

    def _warn_of(self, socket: str, deadline: _Deadline, now: datetime) -> None:
        if deadline.end - WARNING <= now and not deadline.warned:
            deadline.warned = True
            self._warn(socket, deadline.end)
