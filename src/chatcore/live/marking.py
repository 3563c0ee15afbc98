"""Pushes of markers: at most one per room and user in 250 ms, the newest one."""

from collections.abc import Callable

import anyio
from attrs import frozen

from ..ids import RoomId, UserId
from .background import Background
from .pushes import MarkerMoved
from .user import LiveSocket

COALESCED_S = 0.25


@frozen(kw_only=True)
class Moved:
    """A marker that moved: whether everyone in the room hears of it, and the socket that knows already."""

    marker: MarkerMoved
    everyone: bool
    by: LiveSocket | None


class MarkerPushes:
    """Gives markers to ``push``: the first at once, then the newest of each quarter of a second."""

    def __init__(self, background: Background, push: Callable[[Moved], None]) -> None:
        self._background = background
        self._push = push
        self._later: dict[tuple[RoomId, UserId], Moved | None] = {}

    def put(self, moved: Moved) -> None:
        name = moved.marker.room, moved.marker.user
        if name in self._later:
            self._later[name] = moved
            return
        self._later[name] = None
        self._push(moved)
        self._background.start(lambda: self._hold_back(name))

    async def _hold_back(self, name: tuple[RoomId, UserId]) -> None:
        await anyio.sleep(COALESCED_S)
        while moved := self._later[name]:
            self._later[name] = None
            self._push(moved)
            await anyio.sleep(COALESCED_S)
        del self._later[name]
