"""A store in this process's memory: for tests, and for chats that may be lost."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from anyio.lowlevel import checkpoint
from attrs import define, field

from chatcore.domain.blocks import BlockedPair, BlockList
from chatcore.domain.entries import Deleted, Edited, Entry
from chatcore.domain.markers import StoredMarker, updated_marker
from chatcore.domain.redaction import redacted
from chatcore.domain.state import MarkerUpdate
from chatcore.errors import FeedReset
from chatcore.ids import Key, RoomId, Seq, UserId, new_id
from chatcore.ports.blocks import BlockPosition, NewBlocks
from chatcore.ports.entry_feed import EntryFeed, FeedPage, FeedReader, FeedStart, OrderedFeedReader
from chatcore.ports.entry_log import AppendResult, Change, Changes, FeedPosition, LogSlice
from chatcore.ports.log_store import LogStore, MarkerId


@define
class _Log:
    entries: list[Entry] = field(factory=list)
    """The entries as written; seq n is at n - 1."""
    seqs: dict[tuple[UserId, Key], Seq] = field(factory=dict)
    edits: dict[Seq, list[Seq]] = field(factory=dict)
    """The entries that hold a text of each edited message, besides its own."""

    def find(self, key: tuple[UserId, Key]) -> Entry | None:
        seq = self.seqs.get(key)
        return self.entries[seq - 1] if seq else None

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.seqs[entry.author, entry.key] = entry.seq
        match entry.event:
            case Edited(target=target):
                self.edits.setdefault(target, []).append(entry.seq)
            case Deleted(target=target):
                for seq in (target, *self.edits.get(target, ())):
                    self.entries[seq - 1] = redacted(self.entries[seq - 1])
            case _:
                pass


class MemoryStore(LogStore, EntryFeed):
    """Keeps everything as long as the object lives, entered or not.

    Like a store on disk it awaits before each read and write, and after reads and writes of a log, so the same races
    occur. Between two awaits it is atomic.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: str = new_id()
        self._logs: dict[RoomId, _Log] = {}
        self._changes: list[Change] = []  # the n-th is at position n
        self._markers: dict[MarkerId, StoredMarker] = {}
        self._blocks = BlockList()
        self._last_seen: dict[UserId, datetime] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def probe(self) -> None:
        await checkpoint()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        await checkpoint()
        result = self._append(entries)
        await checkpoint()
        return result

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendResult | Exception]:
        await checkpoint()
        results = [self._append(entries) for entries in batches]
        await checkpoint()
        return results

    def _append(self, entries: Sequence[Entry]) -> AppendResult:
        for written, entry in enumerate(entries):
            log = self._logs.get(entry.room) or _Log()
            taken = log.find((entry.author, entry.key))
            if taken or entry.seq != len(log.entries) + 1:
                return AppendResult(written=written, taken=taken)
            log.write(entry)
            self._logs[entry.room] = log
            position = len(self._changes) + 1
            self._changes.append(Change(position=position, room=entry.room, seq=entry.seq, affects=entry.affects))
        return AppendResult(written=len(entries))

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        await checkpoint()
        log, start = self._logs.get(room) or _Log(), max(after, 0)
        by_key = {key: entry for key in keys if (entry := log.find(key))}
        result = LogSlice(head=len(log.entries), entries=log.entries[start : start + limit], by_key=by_key)
        await checkpoint()
        return result

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        await checkpoint()
        changes = self._changes[-1:] if after is None else self._changes[after : after + limit]
        more = after is not None and after + limit < len(self._changes)
        return Changes(changes=changes, more=more)

    def feed(self, after: FeedStart) -> FeedReader:
        return OrderedFeedReader(self._read_feed, after)

    async def _read_feed(self, after: FeedStart, limit: int) -> FeedPage:
        await checkpoint()
        newest = len(self._changes)
        if after == "now":
            return FeedPage(entries=[], position=newest, more=False)
        if after > newest:
            raise FeedReset
        changes = self._changes[after : after + limit]
        entries = [self._logs[change.room].entries[change.seq - 1] for change in changes]
        return FeedPage(entries=entries, position=after + len(entries), more=after + limit < newest)

    async def stored_markers(self, ids: Collection[MarkerId]) -> Mapping[MarkerId, StoredMarker]:
        await checkpoint()
        return {marker: self._markers[marker] for marker in ids if marker in self._markers}

    async def update_marker(self, marker: MarkerId, since: Seq, change: MarkerUpdate) -> StoredMarker:
        await checkpoint()
        updated = self._markers[marker] = updated_marker(self._markers.get(marker), since, change)
        await checkpoint()
        return updated

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        await checkpoint()
        if self._blocks.is_new(user, other, limit):
            self._blocks.add(user, other)
        await checkpoint()

    async def unblock(self, user: UserId, other: UserId) -> None:
        await checkpoint()
        self._blocks.remove(user, other)
        await checkpoint()

    async def blocks(self, user: UserId) -> Sequence[UserId]:
        await checkpoint()
        return self._blocks.of(user)

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        await checkpoint()
        return self._blocks.among(pairs)

    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        await checkpoint()
        position, pairs = self._blocks.since(after)
        return NewBlocks(pairs=pairs, position=position)

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        await checkpoint()
        for user, at in times.items():
            self._last_seen[user] = max(at, self._last_seen.get(user, at))
        await checkpoint()

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        await checkpoint()
        return {user: self._last_seen[user] for user in users if user in self._last_seen}
