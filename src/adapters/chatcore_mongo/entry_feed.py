"""The entry feed: passes over the entries of all rooms, in the order of the server's times."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from attrs import define, field, frozen
from bson import Timestamp

from chatcore.domain.entries import Entry
from chatcore.errors import FeedReset, Unavailable
from chatcore.ids import RoomId, Seq
from chatcore.ports.entry_feed import FeedPage, FeedReader, FeedStart

from . import queries
from .change_feed import OVERLAP_S
from .database import MongoDatabase
from .documents import Document, read_entries
from .read_session import PendingErasures, ReadSession, complete, messages_by_room, only
from .timestamps import SECOND, time_of, timestamp

ERASURES_MAX = 10_000
"""Above so many deletions with texts that are not erased yet, the feed is unavailable until they are."""

Documents: TypeAlias = dict[tuple[RoomId, Seq], Document]


@frozen
class _Given:
    """The last entry of a room that a pass has given, and its time."""

    seq: Seq
    time: int


@define
class _Progress:
    """How far a pass has come.

    Entries become visible late, but in a room by ascending seq. So what is missing is found by the number of entries in
    each second, and belongs above what was given of its room.

    Attributes:
        settled: all entries up to this time have been given, and no others can become visible. The pass's position.
        time: the last time that was read. Entries between ``settled`` and it may be missing.
        given: the rooms with given entries above ``settled``.
        counts: how many entries have been given of each second that ends above ``settled``.
    """

    settled: int
    time: int
    given: dict[RoomId, _Given] = field(factory=dict[RoomId, _Given])
    counts: Counter[int] = field(factory=Counter[int])

    def advance(self, documents: Sequence[Document], time: int, settled: int) -> None:
        """Take the documents as given. ``settled`` is as before, or the end of a second, or ``time``."""
        self.time, self.settled = time, settled
        for document in documents:
            if (at := time_of(document)) > settled:
                self.counts[at // SECOND] += 1
            self.given[document["room"]] = _Given(document["seq"], at)
        self.given = {room: last for room, last in self.given.items() if last.time > settled}
        for second in [second for second in self.counts if second < (settled + 1) // SECOND]:
            del self.counts[second]


class MongoFeedReader(FeedReader):
    """A pass over the entries of a database.

    A position is a time up to which everything has been given, at most `OVERLAP_S` before the last entry.
    """

    def __init__(self, database: MongoDatabase, after: FeedStart) -> None:
        self._database = database
        self._after: FeedStart = after
        self._progress: _Progress | None = None

    async def read(self, limit: int) -> FeedPage:
        if self._progress is None:
            self._progress = await self._start(self._after)
        if self._after == "now":
            self._after = self._progress.settled
            return FeedPage(entries=[], position=self._progress.settled, more=False)
        async with self._database.read_session() as session:
            page = _Page(session, self._progress)
            await page.read(self._database, limit)
        result = FeedPage(entries=page.entries(), position=page.settled, more=page.more)
        self._progress.advance(page.documents, page.time, page.settled)
        return result

    async def _start(self, after: FeedStart) -> _Progress:
        newest = await self._newest()
        if after == "now":
            return await self._visible_by_now(newest)
        if after > newest:
            # A primary that was replaced may answer with an old state; the probe needs a majority.
            await self._database.probe()
            if after > await self._newest():
                raise FeedReset
        return _Progress(settled=after, time=after)

    async def _newest(self) -> int:
        async with self._database.read_session() as session:
            newest = await session.fetch_one(queries.newest_change())
        return time_of(newest) if newest else 0

    async def _visible_by_now(self, newest: int) -> _Progress:
        """Take all visible entries as given."""
        progress = _Progress(settled=_settled(newest), time=newest)
        async with self._database.read_session() as session:
            (rows,) = await session.fetch(queries.rooms_between(*_above(progress.settled, newest)))
        for row in rows:
            room, last = row["_id"]["room"], _Given(row["last"], time_of(row))
            progress.given[room] = max(last, progress.given.get(room, last), key=lambda given: given.seq)
            progress.counts[row["_id"]["second"]] += row["entries"]
        return progress


class _Page:
    """The next page of a pass. ``documents`` are in the order in which they are given."""

    def __init__(self, session: ReadSession, progress: _Progress) -> None:
        self._session = session
        self._progress = progress
        self._erasures: PendingErasures = {}
        self.documents: Sequence[Document] = []
        self.time = progress.time
        self.settled = progress.settled
        self.more = False

    def entries(self) -> Sequence[Entry]:
        return [read_entries([document], self._erasures.get(document["room"], ()))[0] for document in self.documents]

    async def read(self, database: MongoDatabase, limit: int) -> None:
        """Read about ``limit`` entries, and those that became visible late. Raises `Unavailable`."""
        # In this order: a deletion is seen before its text is gone, and no entry up to ``settled`` is missing.
        deletions, stores, newest, scanned = await self._session.fetch(
            queries.all_pending_erasures(ERASURES_MAX),
            queries.epoch(),
            queries.newest_change(),
            queries.entries_by_time(timestamp(self._progress.time), limit),
        )
        database.check_epoch(stores)
        if len(deletions) == ERASURES_MAX:
            raise Unavailable
        self._erasures = messages_by_room(deletions)
        self.more = len(scanned) == limit
        if scanned:
            self.time = time_of(scanned[-1])
        last, progress = only(newest), self._progress
        self.settled = max(progress.settled, min(_settled(time_of(last)) if last else 0, self.time))
        all_settled = self.settled == self.time and progress.settled == progress.time
        rows = [] if all_settled else await self._late_rooms(scanned)
        found = await self._without_holes(scanned, rows)
        self.documents = sorted(found.values(), key=time_of)

    async def _late_rooms(self, scanned: Sequence[Document]) -> Sequence[Document]:
        """Find the seconds with more entries than have been given or scanned, and return their rooms."""
        begin, end = _above(self._progress.settled, self.time)
        known = self._progress.counts + Counter(time_of(document) // SECOND for document in scanned)
        (seconds,) = await self._session.fetch(queries.seconds_of_changes(begin, end))
        late = [row["second"] for row in seconds if row["entries"] > known[row["second"]]]
        if not late:
            return []
        first = max(self._progress.settled, min(late) * SECOND - 1)
        (rows,) = await self._session.fetch(queries.rooms_between(*_above(first, self.time)))
        return rows

    async def _without_holes(self, scanned: Sequence[Document], rows: Sequence[Document]) -> Documents:
        """Return the scanned documents, and what is missing below them and in ``rows``."""
        found: Documents = {}
        ends: dict[RoomId, tuple[Seq, Seq]] = {}
        given = self._progress.given
        for document in scanned:
            room, seq = document["room"], document["seq"]
            found[room, seq] = document
            ends[room] = _widened(ends.get(room), seq, seq)
        for row in rows:
            room = row["_id"]["room"]
            ends[room] = _widened(ends.get(room), row["first"], row["last"])
        counts = Counter(room for room, _ in found)
        missing: list[tuple[RoomId, Seq, Seq]] = []
        for room, (first, last) in ends.items():
            after = given[room].seq if room in given else first - 1
            if last - after > counts[room]:
                missing.append((room, after, last))
        results = await self._session.fetch(*(queries.entries_between(*interval) for interval in missing))
        for (_, after, last), documents in zip(missing, results, strict=True):
            for document in complete(documents, last - after):
                found[document["room"], document["seq"]] = document
        return found


def _widened(ends: tuple[Seq, Seq] | None, first: Seq, last: Seq) -> tuple[Seq, Seq]:
    return (min(ends[0], first), max(ends[1], last)) if ends else (first, last)


def _settled(newest: int) -> int:
    """The end of the last second in which no entry can become visible any more.

    Args:
        newest: the time of the newest entry, which the server's present time has reached.
    """
    return max((newest // SECOND - OVERLAP_S + 1) * SECOND - 1, 0)


def _above(time: int, end: int) -> tuple[Timestamp, Timestamp]:
    """The first time above ``time``, and ``end``."""
    return timestamp(time + 1), timestamp(end)
