"""What changed in the store since a position."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from bson import Timestamp

from chatcore.ports.room_log import Change, Position

from . import queries
from .documents import Document
from .reading import Reading

OVERLAP = 10 << 32
"""The server's time is given to an entry before it can be read: who follows looks again at the last 10 s."""
FOLLOWERS = 64
"""Positions of which it is remembered what was told on the way to them; at any other more is told again."""

_BITS = 64


class _Told:
    """The server's times of what was told in the last 10 s."""

    def __init__(self) -> None:
        self._times: set[int] = set()
        self._order: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._times)

    def __contains__(self, time: object) -> bool:
        return time in self._times

    def add(self, times: Iterable[int]) -> None:
        for time in times:
            self._times.add(time)
            self._order.append(time)

    def forget(self, upto: int) -> None:
        while self._order and self._order[0] <= upto:
            self._times.discard(self._order.popleft())


class Follower:
    """Answers `RoomLog.changes`.

    A position is the server's time of an entry, and below it a number of its own, by which it is known what was told
    on the way to it: what becomes visible late, below a position, is told with the next call. That is known for one
    call with a position; with the next one everything of the last 10 s is told again.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[Position, _Told] = OrderedDict()
        self._number = 0

    async def changes(self, reading: Reading, after: Position | None, limit: int) -> Sequence[Change]:
        if after is None:
            (newest,) = await reading.ask(queries.newest_change())
            return [_change(one, _time(one) << _BITS) for one in newest]
        moment, told = after >> _BITS, self._told.pop(after, None) or _Told()
        late = await self._late(reading, moment, told, limit)
        new: Sequence[Document] = []
        if len(late) < limit:
            (new,) = await reading.ask(queries.changes(_timestamp(moment), None, limit - len(late)))
        return self._tell(after, told, late, new)

    async def _late(self, reading: Reading, moment: int, told: _Told, limit: int) -> Sequence[Document]:
        """What has become visible below a moment since it was told what lies there."""
        window = _timestamp(moment - OVERLAP), _timestamp(moment)
        told.forget(moment - OVERLAP)
        count = await reading.ask_one(queries.count_changes(*window))
        if count is None or count["n"] == len(told):
            return []
        (found,) = await reading.ask(queries.changes(*window, None))
        return [one for one in found if _time(one) not in told][:limit]

    def _tell(
        self, after: Position, told: _Told, late: Sequence[Document], new: Sequence[Document]
    ) -> Sequence[Change]:
        moment = after >> _BITS
        changes = [_change(one, (moment << _BITS) + self._next()) for one in late]
        changes += [_change(one, (_time(one) << _BITS) + self._next()) for one in new]
        told.add(_time(one) for one in (*late, *new))
        self._told[changes[-1].position if changes else after] = told
        if len(self._told) > FOLLOWERS:
            self._told.popitem(last=False)
        return changes

    def _next(self) -> int:
        self._number += 1
        return self._number


def _time(document: Document) -> int:
    found: Timestamp = document["ts"]
    return found.time << 32 | found.inc


def _timestamp(time: int) -> Timestamp:
    time = max(time, 0)
    return Timestamp(time >> 32, time & 0xFFFF_FFFF)


def _change(document: Document, position: Position) -> Change:
    """Somebody's role is no membership."""
    affects = () if document["kind"] == "role" else tuple(one["user"] for one in document.get("affects", ()))
    return Change(position=position, room=document["room"], seq=document["seq"], affects=affects)
