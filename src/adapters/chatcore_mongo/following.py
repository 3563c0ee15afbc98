"""What changed in the store since a position."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence

from attrs import define, field

from chatcore.ports.room_log import Change, Position

from . import queries
from .documents import Document
from .reading import Reading
from .times import SECOND, Time, second_of, time_of

OVERLAP_S = 10
"""The server's time is given to an entry before it can be read: who follows looks again at the last 10 s."""
FOLLOWERS = 64
"""Positions of which it is remembered what was told on the way to them; at any other more is told again."""

_BITS = 64


@define
class _Told:
    """The times of what was told in the last 10 s, by their seconds."""

    _seconds: defaultdict[int, set[Time]] = field(factory=lambda: defaultdict(set))
    looked_back_at: Time = 0
    """The moment below which nothing was missing when it was looked at last."""
    to_be_continued: bool = False
    """Whether the last answer was full: the next call belongs to it."""

    def add(self, times: Iterable[Time]) -> None:
        for time in times:
            self._seconds[second_of(time)].add(time)

    def of(self, second: int) -> set[Time]:
        return self._seconds[second]

    def forget_before(self, second: int) -> None:
        for old in [known for known in self._seconds if known < second]:
            del self._seconds[old]


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
            return await self._start(reading)
        moment, told = after >> _BITS, self._told.pop(after, None) or _Told()
        late: Sequence[Document] = []
        # Whoever is far behind asks again at once, and need not look back each time.
        if not told.to_be_continued or moment - told.looked_back_at >= SECOND:
            late = await self._late(reading, moment, told, limit)
        new: Sequence[Document] = []
        if len(late) < limit:
            told.looked_back_at = moment
            (new,) = await reading.ask(queries.changes(moment, limit - len(late)))
        return self._tell(after, told, late, new, limit)

    async def _start(self, reading: Reading) -> Sequence[Change]:
        """The newest change; what can be read below it needs not be told to one who starts there."""
        newest = await reading.ask_one(queries.newest_change())
        if newest is None:
            return []
        moment, told = time_of(newest), _Told()
        (below,) = await reading.ask(queries.times_of_changes(_first_looked_at(moment), moment))
        told.add(map(time_of, below))
        change = _change(newest, (moment << _BITS) + self._next())
        self._remember(change.position, told)
        return [change]

    async def _late(self, reading: Reading, moment: Time, told: _Told, limit: int) -> Sequence[Document]:
        """What has become visible below a moment since it was told what lies there."""
        since = _first_looked_at(moment)
        told.forget_before(second_of(since))
        (seconds,) = await reading.ask(queries.seconds_of_changes(since, moment))
        late: list[Document] = []
        for one in sorted(seconds, key=lambda one: one["second"]):
            known, begin = told.of(one["second"]), one["second"] * SECOND
            if one["n"] == len(known) or len(late) == limit:
                continue
            (times,) = await reading.ask(queries.times_of_changes(begin, min(begin + SECOND - 1, moment)))
            missing = [time for time in map(time_of, times) if time not in known][: limit - len(late)]
            (found,) = await reading.ask(queries.changes_at(missing))
            late += found
        return late

    def _tell(
        self, after: Position, told: _Told, late: Sequence[Document], new: Sequence[Document], limit: int
    ) -> Sequence[Change]:
        moment = after >> _BITS
        times = list(map(time_of, new))
        told.add(map(time_of, late))
        told.add(times)
        changes = [_change(one, (moment << _BITS) + self._next()) for one in late]
        changes += [_change(one, (time << _BITS) + self._next()) for one, time in zip(new, times, strict=True)]
        told.to_be_continued = len(changes) == limit
        self._remember(changes[-1].position if changes else after, told)
        return changes

    def _remember(self, position: Position, told: _Told) -> None:
        self._told[position] = told
        if len(self._told) > FOLLOWERS:
            self._told.popitem(last=False)

    def _next(self) -> int:
        self._number += 1
        return self._number


def _first_looked_at(moment: Time) -> Time:
    """The begin of the second from which on it is looked again."""
    return max(second_of(moment) - OVERLAP_S, 0) * SECOND


def _change(document: Document, position: Position) -> Change:
    """Somebody's role is no membership."""
    affects = () if document["kind"] == "role" else tuple(one["user"] for one in document.get("affects", ()))
    return Change(position=position, room=document["room"], seq=document["seq"], affects=affects)
