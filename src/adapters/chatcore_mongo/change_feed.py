"""The change feed: the changes of the whole store after a position."""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

from attrs import define, field

from chatcore.ports.entry_log import Change, Changes, FeedPosition

from . import queries
from .documents import Document
from .read_session import ReadSession
from .timestamps import SECOND, time_of, timestamp

OVERLAP_S = 10
"""An entry gets the server's time before it can be read, so the feed looks again at the last 10 seconds."""
POSITIONS_REMEMBERED = 64
"""Positions with known earlier changes. From any other position, changes of the last `OVERLAP_S` come again."""

_COUNTER_BITS = 64
"""The lower bits of a position hold a number of this feed. The upper bits hold the server's time of an entry."""


@define
class _Progress:
    """The changes of the last `OVERLAP_S` that one consumer has seen, and the late ones that it still has to get."""

    entries: Counter[int] = field(factory=Counter[int])
    """How many entries of each second the consumer has seen."""
    late: deque[Document] = field(factory=deque[Document])
    """Changes below the position that did not fit into the last page."""
    checked_at: int = 0
    """The time of the last check for late changes."""
    more: bool = False
    """Whether the last page was full: the next call continues it."""

    def add(self, changes: Sequence[Document]) -> None:
        for change in changes:
            self.entries[change["_id"]["second"]] += change["entries"]

    def forget_before(self, second: int) -> None:
        for old in [known for known in self.entries if known < second]:
            del self.entries[old]


class ChangeFeed:
    """Implements `EntryLog.changes`.

    A position is the server's time of an entry, and a number by which the feed finds the consumer's `_Progress`. If a
    second below the position has more entries now, the next page has the changes of that second again. A position is
    known for one call; later calls with it get the changes of the last `OVERLAP_S` again.
    """

    def __init__(self) -> None:
        self._progress: OrderedDict[FeedPosition, _Progress] = OrderedDict()
        self._count = 0

    async def changes(self, session: ReadSession, after: FeedPosition | None, limit: int) -> Changes:
        if after is None:
            return await self._newest(session)
        time, progress = after >> _COUNTER_BITS, self._progress.pop(after, None) or _Progress()
        # A consumer that is far behind asks again at once: one check a second is enough.
        if not progress.more or time - progress.checked_at >= SECOND:
            await self._find_late(session, time, progress)
            progress.checked_at = time
        late = [progress.late.popleft() for _ in range(min(limit, len(progress.late)))]
        left = limit - len(late)
        new = (await session.fetch(queries.changes(timestamp(time), left)))[0] if left else []
        progress.add(new)
        progress.more = sum(change["entries"] for change in new) == left
        changes = [_change(document, self._position(time)) for document in late]
        changes += [_change(document, self._position(time_of(document))) for document in sorted(new, key=time_of)]
        self._remember(changes[-1].position if changes else after, progress)
        return Changes(changes=changes, more=progress.more)

    async def _newest(self, session: ReadSession) -> Changes:
        """Return the newest change. A consumer that starts there needs no earlier change that is visible by now."""
        newest = await session.fetch_one(queries.newest_change())
        if newest is None:
            return Changes(changes=[], more=False)
        time, progress = time_of(newest), _Progress()
        (seconds,) = await session.fetch(queries.seconds_of_changes(timestamp(_overlap_start(time)), timestamp(time)))
        progress.entries.update({second["second"]: second["entries"] for second in seconds})
        change = _change(newest, self._position(time))
        self._remember(change.position, progress)
        return Changes(changes=[change], more=False)

    async def _find_late(self, session: ReadSession, time: int, progress: _Progress) -> None:
        """Find the seconds up to ``time`` with other entries than the consumer has seen, and add their changes."""
        start = _overlap_start(time)
        progress.forget_before(start // SECOND)
        (seconds,) = await session.fetch(queries.seconds_of_changes(timestamp(start), timestamp(time)))
        for row in sorted(seconds, key=lambda row: row["second"]):
            second = row["second"]
            if row["entries"] != progress.entries[second]:
                end = min((second + 1) * SECOND - 1, time)
                (changes,) = await session.fetch(queries.changes_between(timestamp(second * SECOND), timestamp(end)))
                del progress.entries[second]
                progress.add(changes)
                progress.late += changes

    def _remember(self, position: FeedPosition, progress: _Progress) -> None:
        self._progress[position] = progress
        if len(self._progress) > POSITIONS_REMEMBERED:
            self._progress.popitem(last=False)

    def _position(self, time: int) -> FeedPosition:
        self._count += 1
        return (time << _COUNTER_BITS) + self._count


def _overlap_start(time: int) -> int:
    """Return the start of the first second in which changes may still become visible."""
    return max(time // SECOND - OVERLAP_S, 0) * SECOND


def _change(document: Document, position: FeedPosition) -> Change:
    # A change of role does not change membership.
    affects = () if document["kind"] == "role" else tuple(document["affects"] or ())
    return Change(position=position, room=document["_id"]["room"], seq=document["seq"], affects=affects)
