"""The default views of `LogStore` over any store."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from ..domain.blocks import BlockedPair
from ..domain.entries import Entry
from ..domain.markers import StoredMarker
from ..domain.state import MarkerUpdate
from ..ids import Key, RoomId, Seq, UserId
from ..ports.blocks import BlockPosition, NewBlocks
from ..ports.entry_log import AppendResult, Changes, FeedPosition, LogSlice
from ..ports.log_store import LogStore, MarkerId
from ..ports.store import Store


class DefaultViews(LogStore):
    """The open ``store`` with the views of `LogStore` instead of its own."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.epoch: str = store.epoch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def probe(self) -> None:
        await self._store.probe()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        return await self._store.append(entries)

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        return await self._store.read_on(room, after, limit, keys)

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        return await self._store.changes(after, limit)

    async def stored_markers(self, ids: Collection[MarkerId]) -> Mapping[MarkerId, StoredMarker]:
        """Return the markers of present members. ``store`` has no others."""
        stored: dict[MarkerId, StoredMarker] = {}
        for room in {room for room, _ in ids}:
            members = (await self._store.state(room)).members
            users = [user for marked, user in ids if marked == room]
            for user, marker in (await self._store.markers(room, users)).items():
                stored[room, user] = StoredMarker(members[user].since, marker)
        return stored

    async def update_marker(self, marker: MarkerId, since: Seq, change: MarkerUpdate) -> StoredMarker:
        room, user = marker
        await self._store.mark(user, room, change)
        return (await self.stored_markers([marker]))[marker]

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        await self._store.block(user, other, limit)

    async def unblock(self, user: UserId, other: UserId) -> None:
        await self._store.unblock(user, other)

    async def blocks(self, user: UserId) -> Sequence[UserId]:
        return await self._store.blocks(user)

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        return await self._store.blocks_among(pairs)

    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        return await self._store.new_blocks(after)

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        await self._store.note_last_seen(times)

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        return await self._store.last_seen(users)
