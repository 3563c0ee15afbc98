"""A store in this process's memory: for tests, and for chats that may be forgotten."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from anyio.lowlevel import checkpoint

from chatcore.domain.entries import Entry
from chatcore.domain.page_tokens import PageToken
from chatcore.domain.state import Marker, MarkerUpdate, RoomState, RoomView
from chatcore.domain.texts import text_bytes
from chatcore.ids import Key, RoomId, Seq, UserId, new_id
from chatcore.ports.entry_log import (
    Anchor,
    AppendResult,
    Change,
    Changes,
    LogSlice,
    Position,
    RoomCatchUp,
    RoomMembership,
    Window,
)
from chatcore.ports.room_views import RoomPage
from chatcore.ports.store import Store

from .room import MemoryRoom


class MemoryStore(Store):
    """Keeps everything as long as the object lives, entered or not.

    Like a real store it awaits before it reads or writes and before it answers, so races are as real as there; what
    lies between is atomic.
    """

    def __init__(self) -> None:
        self.epoch = new_id()
        self._rooms: dict[RoomId, MemoryRoom] = {}
        self._rooms_of: dict[UserId, dict[RoomId, None]] = {}  # in the same order in every run
        self._written: list[Change] = []  # the n-th stands at position n

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def probe(self) -> None:
        await checkpoint()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        await checkpoint()
        appended = self._append(entries)
        await checkpoint()
        return appended

    def _append(self, entries: Sequence[Entry]) -> AppendResult:
        if not entries:
            return AppendResult(written=0)
        name = entries[0].room
        room = self._room(name)
        appended = room.append(entries)
        for entry in entries[: appended.written]:
            self._rooms[name] = room
            position = len(self._written) + 1
            self._written.append(Change(position=position, room=name, seq=entry.seq, affects=entry.affects))
            for user in entry.affects:
                self._rooms_of.setdefault(user, {})[name] = None
        return appended

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        await checkpoint()
        found = self._room(room)
        first = {key: holder for key in keys if (holder := found.holder(key))}
        news = LogSlice(head=found.state.head, entries=found.above(after, limit), first=first)
        await checkpoint()
        return news

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        await checkpoint()
        window = self._room(room).window(user, anchor, before, after, messages_only=messages_only)
        await checkpoint()
        return window

    async def state(self, room: RoomId) -> RoomState:
        await checkpoint()
        state = self._room(room).state
        await checkpoint()
        return state

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        await checkpoint()
        rows = [
            RoomMembership(room=one.state.room, head=one.state.head, member=one.state.members[user])
            for one in self._listed(user)
            if room is None or one.state.room == room
        ]
        await checkpoint()
        return rows

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        await checkpoint()
        found: dict[RoomId, RoomCatchUp] = {}
        left = size
        for name, after in cursors.items():
            room = self._room(name)
            if room.is_member(user):
                too_much = left < 0 or room.state.head - after > limit
                entries = None if too_much else room.present(user, room.above(after, limit))
                left -= sum(map(text_bytes, entries or ()))
                found[name] = RoomCatchUp(view=room.view(user), entries=entries)
        await checkpoint()
        return found

    async def changes(self, after: Position | None, limit: int) -> Changes:
        await checkpoint()
        changes = self._written[-1:] if after is None else self._written[after : after + limit]
        more = after is not None and after + limit < len(self._written)
        await checkpoint()
        return Changes(changes=changes, more=more)

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        await checkpoint()
        page = self._page(user, None if after is None else PageToken.decoded(after), limit)
        await checkpoint()
        return page

    def _page(self, user: UserId, after: PageToken | None, limit: int) -> RoomPage:
        listed = sorted(self._listed(user), key=_order, reverse=True)
        below = listed if after is None else [room for room in listed if room.place_in_list < after]
        return RoomPage(
            rooms=[room.view(user) for room in below[:limit]],
            next=below[limit - 1].place_in_list.encoded() if len(below) > limit else None,
        )

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        await checkpoint()
        found = self._rooms.get(room)
        views = {user: found.view(user) for user in users} if found else {}
        await checkpoint()
        return views

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        await checkpoint()
        found = self._room(room)
        markers = {user: marker for user in users if (marker := found.marker(user))}
        await checkpoint()
        return markers

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        await checkpoint()
        view = None
        if found := self._rooms.get(room):
            found.mark(user, change)
            view = found.view(user)
        await checkpoint()
        return view

    def _room(self, room: RoomId) -> MemoryRoom:
        """The room as it is; an unborn one is empty and not kept."""
        return self._rooms.get(room) or MemoryRoom(room, number=len(self._rooms))

    def _listed(self, user: UserId) -> Sequence[MemoryRoom]:
        """The rooms in which the user is a member or invited."""
        rooms = [self._rooms[room] for room in self._rooms_of.get(user, ())]
        return [room for room in rooms if room.is_listed_for(user)]


def _order(room: MemoryRoom) -> tuple[int, int]:
    """What `PageToken` compares, in a form that is quicker to sort."""
    return room.place_in_list.at_ms, room.place_in_list.number
