"""An example of a custom store: a journal on disk, which fills memory again at each opening.

It is small and slow. It shows what a store must do: write before it acknowledges, keep concurrent calls apart, and turn
every fault into `Unavailable`. One thing is left out: the text of a deleted message stays in the file.
"""

import json
import os
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import anyio
import attrs
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from chatcore.domain.blocks import BlockedPair, BlockList
from chatcore.domain.entries import Deleted, Entry
from chatcore.domain.markers import StoredMarker, updated_marker
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.domain.serialization import read_entry, stored_entry
from chatcore.domain.state import MarkerUpdate
from chatcore.errors import StoreError, Unavailable
from chatcore.ids import Key, RoomId, Seq, UserId, new_id
from chatcore.ports.blocks import BlockPosition, NewBlocks
from chatcore.ports.entry_log import AppendResult, Change, Changes, FeedPosition, LogSlice
from chatcore.ports.log_store import LogStore, MarkerId

Line: TypeAlias = dict[str, Any]
BEFORE = datetime.min.replace(tzinfo=UTC)


class JournalStore(LogStore):
    """Writes a line of JSON for every write. `LogStore` computes rooms, pages and windows from the log."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.epoch = new_id()
        self._path = file
        self._file: int | None = None
        self._size = 0
        self._entered = 0
        self._turn = anyio.Lock()
        self._logs: dict[RoomId, list[Entry]] = {}
        self._keys: dict[tuple[RoomId, UserId, Key], Seq] = {}
        self._changes: list[Change] = []
        self._markers: dict[MarkerId, StoredMarker] = {}
        self._blocks = BlockList()
        self._last_seen: dict[UserId, datetime] = {}

    async def __aenter__(self) -> Self:
        async with self._alone():
            if self._file is None:
                lines = await run_sync(self._open)
                if not lines:
                    await run_sync(self._write, {"epoch": self.epoch})
                if not self._changes:
                    self._replay(lines)
            self._entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered -= 1
        if not self._entered and self._file is not None:
            os.close(self._file)
            self._file = None

    async def probe(self) -> None:
        async with self._alone():
            await run_sync(self._write, {})

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        async with self._alone():
            result = self._appendable(entries)
            if written := entries[: result.written]:
                await run_sync(self._write, {"entries": [stored_entry(entry) for entry in written]})
                self._append(written)
            return result

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Run one write at a time, and to its end: after a cancelled write the file and the memory would differ."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                yield

    def _appendable(self, entries: Sequence[Entry]) -> AppendResult:
        """Return how many of the entries follow the head and have unused keys."""
        earlier: dict[tuple[UserId, Key], Entry] = {}
        for number, entry in enumerate(entries):
            key = entry.author, entry.key
            taken = earlier.get(key) or self._find(entry.room, key)
            if taken or entry.seq != len(self._logs.get(entry.room, ())) + 1 + number:
                return AppendResult(written=number, taken=taken)
            earlier[key] = entry
        return AppendResult(written=len(entries))

    def _append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            log = self._logs.setdefault(entry.room, [])
            log.append(entry)
            self._keys[entry.room, entry.author, entry.key] = entry.seq
            position = len(self._changes) + 1
            self._changes.append(Change(position=position, room=entry.room, seq=entry.seq, affects=entry.affects))
            if isinstance(entry.event, Deleted):
                target = entry.event.target
                log[:] = [redacted(old) if holds_text_of(old, target) else old for old in log]

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        await checkpoint()
        log, start = self._logs.get(room, []), max(after, 0)
        by_key = {key: entry for key in keys if (entry := self._find(room, key))}
        return LogSlice(head=len(log), entries=log[start : start + limit], by_key=by_key)

    def _find(self, room: RoomId, key: tuple[UserId, Key]) -> Entry | None:
        seq = self._keys.get((room, *key))
        return self._logs[room][seq - 1] if seq else None

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        await checkpoint()
        if after is None:
            return Changes(changes=self._changes[-1:], more=False)
        return Changes(changes=self._changes[after : after + limit], more=after + limit < len(self._changes))

    async def stored_markers(self, ids: Collection[MarkerId]) -> Mapping[MarkerId, StoredMarker]:
        await checkpoint()
        return {marker: self._markers[marker] for marker in ids if marker in self._markers}

    async def update_marker(self, marker: MarkerId, since: Seq, change: MarkerUpdate) -> StoredMarker:
        async with self._alone():
            await run_sync(self._write, {"marker": marker, "since": since, "change": attrs.asdict(change)})
            updated = self._markers[marker] = updated_marker(self._markers.get(marker), since, change)
            return updated

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        async with self._alone():
            if self._blocks.is_new(user, other, limit):
                await run_sync(self._write, {"block": [user, other]})
                self._blocks.add(user, other)

    async def unblock(self, user: UserId, other: UserId) -> None:
        async with self._alone():
            await run_sync(self._write, {"unblock": [user, other]})
            self._blocks.remove(user, other)

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
        async with self._alone():
            later = {user: at for user, at in times.items() if at > self._last_seen.get(user, BEFORE)}
            await run_sync(self._write, {"seen": {user: at.isoformat() for user, at in later.items()}})
            self._last_seen |= later

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        await checkpoint()
        return {user: self._last_seen[user] for user in users if user in self._last_seen}

    def _open(self) -> list[Line]:
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            whole, _, _ = self._path.read_bytes().rpartition(b"\n")  # a later part was never acknowledged
            lines = [json.loads(line) for line in whole.splitlines()]
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._path} can't be read: {error}.") from error
        self._size = len(whole) + 1 if lines else 0
        return lines

    def _write(self, line: Line) -> None:
        if self._file is None:
            raise Unavailable
        text = json.dumps(line).encode() + b"\n"
        try:
            os.ftruncate(self._file, self._size)  # removes the part of a failed write
            os.pwrite(self._file, text, self._size)
            os.fsync(self._file)
        except OSError as error:
            raise Unavailable from error
        self._size += len(text)

    def _replay(self, lines: Sequence[Line]) -> None:
        for line in lines:
            match line:
                case {"epoch": epoch}:
                    self.epoch = epoch
                case {"entries": entries}:
                    self._append([read_entry(entry) for entry in entries])
                case {"marker": [room, user], "since": since, "change": change}:
                    stored = self._markers.get((room, user))
                    self._markers[room, user] = updated_marker(stored, since, MarkerUpdate(**change))
                case {"block": [user, other]}:
                    self._blocks.add(user, other)
                case {"unblock": [user, other]}:
                    self._blocks.remove(user, other)
                case {"seen": times}:
                    self._last_seen |= {user: datetime.fromisoformat(at) for user, at in times.items()}
                case _:
                    pass
