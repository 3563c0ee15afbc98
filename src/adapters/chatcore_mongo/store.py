"""The store of a chat on many machines: rooms, their logs and markers in one MongoDB database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from chatcore.domain.blocks import BlockedPair
from chatcore.domain.entries import Entry
from chatcore.domain.page_tokens import PageToken, TitlePlace
from chatcore.domain.state import Marker, MarkerUpdate, RoomState, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.blocks import BlockPosition, NewBlocks
from chatcore.ports.entry_feed import EntryFeed, FeedReader, FeedStart
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

from . import blocks, history, last_seen, log_reads, markers, memberships, public_rooms, queries, room_views
from .change_feed import ChangeFeed
from .database import MongoDatabase
from .entry_feed import MongoFeedReader
from .known_views import KnownViews
from .log_writer import LogWriter


class MongoStore(Store, EntryFeed):
    """A store in a MongoDB database. Needs asyncio.

    Args:
        url: a connection string; its path is the database's name.
        options: further arguments of `pymongo.AsyncMongoClient`.

    Attributes:
        database: the database, which `MongoAccounts` and `MongoRegistry` may share.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.database: MongoDatabase = MongoDatabase(url, **options)
        self.epoch = ""
        self._log_writer = LogWriter(self.database)
        self._change_feed = ChangeFeed()
        self._known_views = KnownViews()

    async def __aenter__(self) -> Self:
        await self.database.__aenter__()
        try:
            if self.epoch != self.database.epoch:
                self.epoch: str = self.database.epoch
                # The old objects remember heads, positions and views of another database's logs.
                self._log_writer = LogWriter(self.database)
                self._change_feed = ChangeFeed()
                self._known_views = KnownViews()
            await self._log_writer.erase_pending()
        except BaseException:
            await self.database.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.database.__aexit__(kind, error, traceback)

    async def probe(self) -> None:
        await self.database.probe()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        return await self._log_writer.append(entries)

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendResult | Exception]:
        return await self._log_writer.append_all(batches)

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        async with self.database.read_session() as session:
            return await log_reads.read_on(session, room, after, limit, keys)

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        request = history.PageRequest(
            user=user, room=room, anchor=anchor, before=before, after=after, messages_only=messages_only
        )
        async with self.database.read_session() as session:
            return await history.window(session, request)

    async def state(self, room: RoomId) -> RoomState:
        return await memberships.room_state(self.database, room)

    async def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        async with self.database.read_session() as session:
            page = await memberships.members_page(session, user, room, after, limit)
        return page or await super().members(user, room, after, limit)  # reads the state, and stores a roster

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        async with self.database.read_session() as session:
            return await memberships.memberships_of(session, user, room)

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        async with self.database.read_session() as session:
            known = self._known_views.take(user, cursors)
            return await log_reads.catch_up(session, user, cursors, limit, size, known)

    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        async with self.database.read_session() as session:
            deletions, stores = await session.fetch(queries.all_pending_erasures(1), queries.epoch())
            self.database.check_epoch(stores)
            changes = await self._change_feed.changes(session, after, limit)
        if deletions:
            await self._log_writer.erase_pending()
        return changes

    def feed(self, after: FeedStart) -> FeedReader:
        return MongoFeedReader(self.database, after)

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        place = None if after is None else PageToken.decoded(after)
        async with self.database.read_session() as session:
            return await room_views.page(session, user, place, limit)

    async def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        return await public_rooms.page(self.database, user, prefix, TitlePlace.start(prefix, after), limit)

    async def overview(self, user: UserId, limit: int) -> Overview:
        async with self.database.read_session() as session:
            read, markers = await room_views.overview(session, user, None, limit)
        self._known_views.keep(user, read.page.rooms, markers)
        return read

    async def unread_total(self, user: UserId) -> UnreadTotal:
        async with self.database.read_session() as session:
            return await room_views.unread_total(session, user)

    async def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        async with self.database.read_session() as session:
            return await memberships.acquaintances(session, user, others)

    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        async with self.database.read_session() as session:
            return await memberships.fellow_members(session, user, others)

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        async with self.database.read_session() as session:
            return await room_views.views(session, room, users)

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        async with self.database.read_session() as session:
            return await markers.markers(session, room, users)

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        return await markers.mark(self.database, user, room, change)

    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        await blocks.block(self.database, user, other, limit)

    async def unblock(self, user: UserId, other: UserId) -> None:
        await blocks.unblock(self.database, user, other)

    async def blocks(self, user: UserId) -> Sequence[UserId]:
        async with self.database.read_session() as session:
            return await blocks.blocks(session, user)

    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        async with self.database.read_session() as session:
            return await blocks.blocks_among(session, pairs)

    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        async with self.database.read_session() as session:
            return await blocks.new_blocks(session, after)

    async def note_last_seen(self, times: Mapping[UserId, datetime]) -> None:
        await last_seen.note(self.database, times)

    async def last_seen(self, users: Collection[UserId]) -> Mapping[UserId, datetime]:
        async with self.database.read_session() as session:
            return await last_seen.last_seen(session, users)
