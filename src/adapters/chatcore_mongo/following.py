"""What changed in the store since a position."""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

from attrs import define, field

from chatcore.ports.entry_log import Change, Changes, Position

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
    """What one who follows was told of the last 10 s, and what is still to be told."""

    entries: Counter[int] = field(factory=Counter[int])
    """How many entries of each second were told."""
    late: deque[Document] = field(factory=deque[Document])
    """Changes that lie below the position, and did not fit into the last answer."""
    looked_back_at: Time = 0
    """The moment below which nothing was missing when it was looked at last."""
    to_be_continued: bool = False
    """Whether there is more: the next call belongs to the last."""

    def add(self, changes: Sequence[Document]) -> None:
        for one in changes:
            self.entries[one["_id"]["second"]] += one["entries"]

    def forget_before(self, second: int) -> None:
        for old in [known for known in self.entries if known < second]:
            del self.entries[old]


class Follower:
    """Answers `EntryLog.changes`.

    A position is the server's time of an entry, and below it a number of its own, by which it is known what was told
    on the way to it: a second that has more entries now, below a position, is told once more with the next call. That
    is known for one call with a position; with the next one everything of the last 10 s is told again.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[Position, _Told] = OrderedDict()
        self._number = 0

    async def changes(self, reading: Reading, after: Position | None, limit: int) -> Changes:
        if after is None:
            return await self._start(reading)
        moment, told = after >> _BITS, self._told.pop(after, None) or _Told()
        # Whoever is far behind asks again at once, and need not look back each time.
        if not told.to_be_continued or moment - told.looked_back_at >= SECOND:
            await self._look_back(reading, moment, told)
            told.looked_back_at = moment
        late = [told.late.popleft() for _ in range(min(limit, len(told.late)))]
        left = limit - len(late)
        new = (await reading.ask(queries.changes(moment, left)))[0] if left else []
        told.add(new)
        told.to_be_continued = sum(one["entries"] for one in new) == left
        changes = [_change(one, (moment << _BITS) + self._next()) for one in late]
        changes += [_change(one, (time_of(one) << _BITS) + self._next()) for one in sorted(new, key=time_of)]
        self._remember(changes[-1].position if changes else after, told)
        return Changes(changes=changes, more=told.to_be_continued)

    async def _start(self, reading: Reading) -> Changes:
        """The newest change; what can be read below it needs not be told to one who starts there."""
        newest = await reading.ask_one(queries.newest_change())
        if newest is None:
            return Changes(changes=[], more=False)
        moment, told = time_of(newest), _Told()
        (seconds,) = await reading.ask(queries.seconds_of_changes(_first_looked_at(moment), moment))
        told.entries.update({one["second"]: one["entries"] for one in seconds})
        change = _change(newest, (moment << _BITS) + self._next())
        self._remember(change.position, told)
        return Changes(changes=[change], more=False)

    async def _look_back(self, reading: Reading, moment: Time, told: _Told) -> None:
        """Find the seconds below a moment in which something has become visible since they were told."""
        since = _first_looked_at(moment)
        told.forget_before(second_of(since))
        (seconds,) = await reading.ask(queries.seconds_of_changes(since, moment))
        for one in sorted(seconds, key=lambda one: one["second"]):
            second = one["second"]
            if one["entries"] != told.entries[second]:
                end = min((second + 1) * SECOND - 1, moment)
                (found,) = await reading.ask(queries.changes_between(second * SECOND, end))
                del told.entries[second]
                told.add(found)
                told.late += found

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
    affects = () if document["kind"] == "role" else tuple(document["affects"] or ())
    return Change(position=position, room=document["_id"]["room"], seq=document["seq"], affects=affects)
