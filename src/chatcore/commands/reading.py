"""Reading: pages of a room's history, what was missed, and the list of one's rooms."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.entries import Entry
from ..domain.state import RoomView
from ..errors import Invalid, NotFound
from ..ids import RoomId, Seq, UserId, private_room_id
from ..live.existing import existing
from ..ports.entry_log import Anchor, FirstUnread, RoomCatchUp, Window
from ..ports.pushes import Room
from ..ports.room_views import RoomPage
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from . import fields
from .command import Context, ReadingCommand, Route
from .sizes import ANSWER_BYTES_MAX, Budget, entry_size, markers_size, room_size, synced_size

CURSORS_MAX = 500
EVENTS_MAX = 200


@frozen(kw_only=True)
class HistoryPage:
    """Entries of one room in ascending seq, as of ``head``; whether there are more before the first, after the last."""

    room: RoomId
    epoch: str
    head: Seq
    entries: Sequence[Entry]
    has_before: bool
    has_after: bool


@frozen(kw_only=True)
class History(ReadingCommand[HistoryPage]):
    """A page around an anchor: of ``room``, or of the private room with a user, whether or not it is born.

    ``anchor`` is ``newest``, ``oldest``, ``first_unread`` or a seq; ``before`` and ``after`` count entries from there,
    together at most 200. One of them alone: the other is 0. Neither: 50 on the only side there is, else 25 and 25.
    """

    name = "history"
    routes = (Route("GET", "/rooms/{room}/entries"), Route("GET", "/users/{with}/entries"))
    user_fields = ("peer",)

    room: RoomId | None = field(default=None, validator=optional(fields.room))
    peer: UserId | None = field(default=None, validator=optional(fields.user), metadata={fields.WIRE_NAME: "with"})
    anchor: str | int = field(default="newest", validator=fields.anchor)
    before: int | None = field(default=None, validator=optional(fields.integer(0, fields.PAGE_MAX)))
    after: int | None = field(default=None, validator=optional(fields.integer(0, fields.PAGE_MAX)))
    messages_only: bool = field(default=False, validator=fields.boolean)

    def __attrs_post_init__(self) -> None:
        if (self.room is None) == (self.peer is None):
            raise Invalid("Give exactly one of room and with.", field="room" if self.room is None else "with")
        if sum(self._counts(self.anchor)) > fields.PAGE_MAX:
            raise Invalid(f"before and after must not be more than {fields.PAGE_MAX} together.", field="after")

    async def handle(self, context: Context) -> HistoryPage:
        room = self.room if self.peer is None else private_room_id(context.user, self.peer)
        assert room is not None
        anchor = await self._anchor(context, room)
        window = await self._window(context, room, anchor, self._counts(anchor))
        if isinstance(anchor, int) and anchor > window.head and self.before is self.after is None:
            # Above head is `newest`, also for what is read where nobody says how much.
            window = await self._window(context, room, "newest", self._counts("newest"))
        if window.kind is None and self.peer is not None:
            await _must_exist(context.directory, self.peer)
        elif refusal := permissions.refusal("read", window.kind, window.member, context.rights):
            raise refusal
        page = HistoryPage(
            room=room,
            epoch=context.store.epoch,
            head=window.head,
            entries=window.entries,
            has_before=window.has_before,
            has_after=window.has_after,
        )
        return _cut(page, _place(anchor, window))

    async def _window(self, context: Context, room: RoomId, anchor: Anchor, counts: tuple[int, int]) -> Window:
        return await context.store.window(context.user, room, anchor, *counts, messages_only=self.messages_only)

    def _counts(self, anchor: object) -> tuple[int, int]:
        if self.before is not None or self.after is not None:
            return self.before or 0, self.after or 0
        return {"newest": (50, 0), "oldest": (0, 50)}.get(str(anchor), (25, 25))

    async def _anchor(self, context: Context, room: RoomId) -> Anchor:
        match self.anchor:
            case "newest" | "oldest" | int():
                return self.anchor
            case _:
                markers = await context.store.markers(room, [context.user])
                marker = markers.get(context.user)
                return FirstUnread(user=context.user, read=marker.counted_from if marker else 0)


async def _must_exist(directory: UserDirectory | None, user: UserId) -> None:
    if directory and user not in await existing(directory, [user]):
        raise NotFound


def _place(anchor: Anchor, window: Window) -> Seq:
    """The seq at, or next to, which a window's anchor is."""
    match anchor:
        case int():
            return anchor
        case "oldest":
            return 0
        case FirstUnread():
            unread = (entry.seq for entry in window.entries if anchor.is_unread(entry))
            return next(unread, window.head)
        case _:
            return window.head


def _cut(page: HistoryPage, place: Seq) -> HistoryPage:
    """The page without the entries farthest from ``place`` that would make its answer too large."""
    entries = deque((entry, entry_size(entry)) for entry in page.entries)
    size = sum(size for _, size in entries)
    has_before, has_after = page.has_before, page.has_after
    while size > ANSWER_BYTES_MAX:
        if place - entries[0][0].seq > entries[-1][0].seq - place:
            size -= entries.popleft()[1]
            has_before = True
        else:
            size -= entries.pop()[1]
            has_after = True
    return evolve(page, entries=[entry for entry, _ in entries], has_before=has_before, has_after=has_after)


@frozen(kw_only=True)
class Cursor:
    """The seq up to which a client has everything of a room; 0 means nothing, and needs no epoch."""

    seq: Seq = field(validator=fields.integer(0))
    epoch: str | None = None


def _check_cursors(_: object, __: object, cursors: Mapping[RoomId, Cursor]) -> None:
    if len(cursors) > CURSORS_MAX:
        raise Invalid(f"cursors must not name more than {CURSORS_MAX} rooms; send several.", field="cursors")
    if any(cursor.seq and cursor.epoch is None for cursor in cursors.values()):
        raise Invalid("cursors contains a seq above 0 without its epoch.", field="cursors")


Status: TypeAlias = Literal["events", "gap", "reset", "gone"]


@frozen(kw_only=True)
class RoomSync:
    """What became of one room: ``view`` is None for ``gone``, ``entries`` is there with ``events`` only."""

    status: Status
    view: RoomView | None = None
    entries: Sequence[Entry] | None = None


@frozen(kw_only=True)
class SyncResult:
    user: UserId
    epoch: str
    rooms: Mapping[RoomId, RoomSync]


@frozen(kw_only=True)
class Sync(ReadingCommand[SyncResult]):
    """What was missed in each of up to 500 rooms since a cursor: the entries, or what to do instead.

    Over a socket, no entry of a room named here overtakes the answer; what comes after it follows on its ``head``.
    """

    name = "sync"
    routes = (Route("POST", "/sync"),)

    cursors: Mapping[RoomId, Cursor] = field(validator=_check_cursors)

    async def handle(self, context: Context) -> SyncResult:
        if context.socket is None:
            return await self._read(context)
        held = context.hub.hold(context.socket, self.cursors)
        try:
            synced = await self._read(context)
        except BaseException:
            context.hub.release(context.socket, self.cursors, held)
            raise
        # No await from here to the answer: what the subscriptions deliver comes after it.
        heads = {room: found.view.head for room, found in synced.rooms.items() if found.view}
        context.hub.synced(context.socket, self.cursors, held, heads)
        return synced

    async def _read(self, context: Context) -> SyncResult:
        epoch = context.store.epoch
        # A cursor of another epoch points nowhere: nothing is read for it.
        from_here = {
            room: cursor.seq if cursor.epoch in (None, epoch) else fields.INTEGER_MAX
            for room, cursor in self.cursors.items()
        }
        found = await context.store.catch_up(context.user, from_here, EVENTS_MAX, ANSWER_BYTES_MAX)
        budget = Budget(left=ANSWER_BYTES_MAX - sum(map(synced_size, from_here)))
        rooms = {room: _within(budget, _sync_of(found.get(room), after)) for room, after in from_here.items()}
        return SyncResult(user=context.user, epoch=epoch, rooms=rooms)


def _within(budget: Budget, synced: RoomSync) -> RoomSync:
    """The room with what the answer still has room for: entries first, then its members' markers."""
    view = synced.view
    if view is None:
        return synced
    if synced.entries and not budget.has(sum(map(entry_size, synced.entries))):
        synced = evolve(synced, status="gap", entries=None)
    if not budget.has(markers_size(view)):
        synced = evolve(synced, view=evolve(view, markers=None))
    return synced


def _sync_of(found: RoomCatchUp | None, after: Seq) -> RoomSync:
    if found is None:
        return RoomSync(status="gone")
    if after > found.view.head:
        return RoomSync(status="reset", view=found.view)
    if found.entries is None and after < found.view.head:
        return RoomSync(status="gap", view=found.view)
    # A store reads nothing more once it has read enough: for a room in which nothing is missing that is everything.
    return RoomSync(status="events", view=found.view, entries=found.entries or ())


@frozen(kw_only=True)
class RoomList:
    """A page of one's rooms, by last entry, newest first; ``next`` is the ``after`` of the next page."""

    rooms: Sequence[Room]
    next: str | None = None


@frozen(kw_only=True)
class ListRooms(ReadingCommand[RoomList]):
    """The rooms that one is a member of or invited to."""

    name = "rooms"
    routes = (Route("GET", "/rooms"),)

    after: str | None = field(default=None, validator=optional(fields.text(1, 1024)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> RoomList:
        page = await page_of_rooms(context.store, context.user, self.after, self.limit)
        epoch = context.store.epoch
        return RoomList(rooms=[Room(user=context.user, epoch=epoch, view=view) for view in page.rooms], next=page.next)


async def page_of_rooms(store: Store, user: UserId, after: str | None, limit: int) -> RoomPage:
    """A page that keeps within the size of one answer: a shorter one where rooms are large."""
    page = await store.page(user, after, limit)
    while len(page.rooms) > 1 and sum(map(room_size, page.rooms)) > ANSWER_BYTES_MAX:
        page = await store.page(user, after, len(page.rooms) // 2)
    return page
