"""The store of a chat on many machines: rooms, their logs and markers in one MongoDB database."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from chatcore.domain.entries import Entry
from chatcore.domain.page_tokens import PageToken
from chatcore.domain.state import Marker, MarkerUpdate, RoomState, RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import (
    Anchor,
    AppendResult,
    Changes,
    LogSlice,
    Position,
    RoomCatchUp,
    RoomMembership,
    Window,
)
from chatcore.ports.room_views import RoomPage
from chatcore.ports.store import Store

from . import queries
from .appending import Appender
from .catching_up import catch_up
from .database import Database
from .following import Follower
from .keeping import keep
from .listing import markers, member_since, memberships, page, views
from .marking import move
from .news import news
from .probing import probe
from .standing import state
from .windows import Page, window


class MongoStore(Store):
    """A store in the database of ``url``, a connection string; ``database`` is what other stores may stand on.

    On asyncio. ``options`` are `pymongo.AsyncMongoClient`'s.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.database = Database(url, **options)
        self._know_nothing()
        self.epoch = ""

    def _know_nothing(self) -> None:
        self._appender = Appender(self.database)
        self._follower = Follower()

    async def __aenter__(self) -> Self:
        await self.database.__aenter__()
        try:
            if self.epoch != self.database.epoch:
                self._know_nothing()  # what is remembered of the ends of logs is of other logs
                self.epoch = self.database.epoch
            await self._appender.erase_what_is_pending()
        except BaseException:
            await self.database.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.database.__aexit__(kind, error, traceback)

    async def probe(self) -> None:
        epoch = self.epoch
        if not await self.database.write(lambda mongo, session: probe(mongo, session, epoch)):
            self.database.lose()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        return await self._appender.append(entries) if entries else AppendResult(written=0)

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        async with self.database.reading() as reading:
            return await news(reading, room, after, limit, keys)

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        asked = Page(user=user, room=room, anchor=anchor, before=before, after=after, messages_only=messages_only)
        async with self.database.reading() as reading:
            return await window(reading, asked)

    async def state(self, room: RoomId) -> RoomState:
        async with self.database.reading() as reading:
            found, roster = await state(reading, room)
        if roster.is_to_be_kept:
            await keep(self.database, room, roster)
        return found

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        async with self.database.reading() as reading:
            return await memberships(reading, user, room)

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        async with self.database.reading() as reading:
            return await catch_up(reading, user, cursors, limit, size)

    async def changes(self, after: Position | None, limit: int) -> Changes:
        async with self.database.reading() as reading:
            pending, stores = await reading.ask(queries.all_pending(1), queries.epoch())
            if [one.get("epoch") for one in stores] != [self.epoch]:
                self.database.lose()
            found = await self._follower.changes(reading, after, limit)
        if pending:
            await self._appender.erase_what_is_pending()
        return found

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        place = None if after is None else PageToken.decoded(after)
        async with self.database.reading() as reading:
            return await page(reading, user, place, limit)

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        async with self.database.reading() as reading:
            return await views(reading, room, users)

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        async with self.database.reading() as reading:
            return await markers(reading, room, users)

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        async with self.database.limited():
            async with self.database.reading() as reading:
                head, since = await member_since(reading, room, user)
            if since is not None and change != MarkerUpdate() and change.fits(head):
                known = since
                await self.database.write(lambda mongo, session: move(mongo, session, (room, user), known, change))
            return (await self.views(room, [user])).get(user)
