"""The store of an embedded chat: rooms, their logs and markers in one SQLite file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from chatcore.domain.blocks import BlockedPair
from chatcore.domain.entries import Entry
from chatcore.domain.serialization import milliseconds
from chatcore.domain.state import Marker, MarkerUpdate, RoomState, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.blocks import BlockPosition, NewBlocks
from chatcore.ports.entry_feed import EntryFeed, FeedPage, FeedReader, FeedStart, OrderedFeedReader
from chatcore.ports.entry_log import AppendResult, Changes, FeedPosition, LogSlice
from chatcore.ports.room_views import (
    Anchor,
    Overview,
    RoomCatchUp,
    RoomMembers,
    RoomMembership,
    RoomPage,
    UnreadTotal,
    Window,
)
from chatcore.ports.store import Store

from . import blocks, log_writer, statements, view_rebuild
from .appends import Appends
from .database import SqliteDatabase
from .queries import Snapshot

T = TypeVar("T")
P = ParamSpec("P")


class SqliteStore(Store, EntryFeed):
    """A store in ``folder``, which one process has at a time. Other stores may share its ``database``.

    The text of a deleted message is gone from all files of the folder within ``erased_within`` seconds, and when the
    store is closed. Another program that reads the file for longer delays this until it has finished.
    """

    def __init__(self, folder: str | Path, *, erased_within: float = 60) -> None:
        self.database: SqliteDatabase = SqliteDatabase(folder, erased_within=erased_within)

    async def __aenter__(self) -> Self:
        await self.database.__aenter__()
        try:
            self.epoch: str = await self._read(Snapshot.epoch)
        except BaseException:
            await self.database.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.database.__aexit__(kind, error, traceback)

    async def probe(self) -> None:
        await self._write(log_writer.probe)

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        if not entries:
            return AppendResult(written=0)
        (outcome,) = await self.append_all([entries])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendResult | Exception]:
        appends = Appends(batches)
        try:
            return await self.database.write(appends, erases=appends.erases)
        except Exception as error:  # noqa: BLE001  # returned to the caller
            return [error] * len(batches)

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        return await self._read(Snapshot.read_on, room, after, limit, keys)

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        return await self._read(Snapshot.changes, after, limit)

    def feed(self, after: FeedStart) -> FeedReader:
        return OrderedFeedReader(self._read_feed, after)

    async def _read_feed(self, after: FeedStart, limit: int) -> FeedPage:
        return await self._read(Snapshot.feed, after, limit)

    async def state(self, room: RoomId) -> RoomState:
        return await self._read(Snapshot.state, room)

    async def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        return await self._read(Snapshot.members, user, room, after, limit)

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        return await self._read(Snapshot.memberships, user, room)

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        return await self._read(Snapshot.window, user, room, anchor, before, after, messages_only=messages_only)

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        return await self._read(Snapshot.catch_up, user, cursors, limit, size)

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        return await self._read(Snapshot.page, user, after, limit)

    async def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        return await self._read(Snapshot.public_rooms, user, prefix, after, limit)

    async def overview(self, user: UserId, limit: int) -> Overview:
        return await self._read(Snapshot.overview, user, limit)

    async def unread_total(self, user: UserId) -> UnreadTotal:
        return await self._read(Snapshot.unread_total, user)

    async def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return await self._read(Snapshot.acquaintances, user, others)

    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return await self._read(Snapshot.fellow_members, user, others)

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        return await self._read(Snapshot.views, room, users)

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        return await self._read(Snapshot.markers, room, users)

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        if change == MarkerUpdate():
            return (await self.views(room, [user])).get(user)
        return await self._write(lambda connection: log_writer.mark(connection, user, room, change))

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        await self._write(lambda connection: blocks.block(connection, user, other, limit))

    async def unblock(self, user: UserId, other: UserId) -> None:
        await self._write(lambda connection: blocks.unblock(connection, user, other))

    async def blocks(self, user: UserId) -> Sequence[UserId]:
        return await self._read(Snapshot.blocks, user)

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        return await self._read(Snapshot.blocks_among, pairs)

    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        return await self._read(Snapshot.new_blocks, after)

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        rows = [(user, milliseconds(at)) for user, at in times.items()]
        await self._write(lambda connection: connection.executemany(statements.NOTE_LAST_SEEN, rows))

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        return await self._read(Snapshot.last_seen, users)

    async def rebuild_views(self) -> None:
        """Delete all views, and compute them again from the logs.

        Meanwhile every other method raises `Unavailable`. If the rebuild is interrupted, the next opening continues it.
        """
        await self.database.write(view_rebuild.begin)
        while await self.database.write(view_rebuild.step):
            pass

    async def _write(self, work: Callable[[Connection], T]) -> T:
        def checked(connection: Connection) -> T:
            view_rebuild.check(connection)
            return work(connection)

        return await self.database.write(checked)

    async def _read(self, query: Callable[Concatenate[Snapshot, P], T], *args: P.args, **options: P.kwargs) -> T:
        def work(connection: Connection) -> T:
            view_rebuild.check(connection)
            return query(Snapshot(connection), *args, **options)

        return await self.database.read(work)
