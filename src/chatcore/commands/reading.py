"""Commands that read: pages of a room's history, missed entries, and the list of a user's rooms."""

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
from ..live.existing_users import existing_users
from ..ports.pushes import Room
from ..ports.room_views import Anchor, FirstUnread, RoomCatchUp, RoomPage, Window
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from . import fields
from .command import Context, ReadingCommand, Route
from .sizes import ANSWER_BYTES_MAX, Budget, entry_size, markers_size, room_size, synced_size

CURSORS_MAX = 500
EVENTS_MAX = 200
"""The most missed entries of one room in the answer of `Sync`."""


@frozen(kw_only=True)
class HistoryPage:
    """The answer of `History`: entries of a room in ascending order, as of ``head``.

    ``has_before`` and ``has_after`` say whether the room has more entries before the first and after the last one.
    """

    room: RoomId
    epoch: str
    head: Seq
    entries: Sequence[Entry]
    has_before: bool
    has_after: bool


@frozen(kw_only=True)
class History(ReadingCommand[HistoryPage]):
    """Read the entries around an anchor in a room, or in the private room with the user ``with``.

    Args:
        peer: the field ``with``. The private room may have no entries yet.
        anchor: ``newest``, ``oldest``, ``first_unread`` or a seq.
        before: most entries before the anchor; 0 if only ``after`` is given.
        after: most entries after the anchor; 0 if only ``before`` is given. ``before`` and ``after`` are at most 200
            together. If neither is given, the page has 50 entries at ``newest`` and ``oldest``, else 25 on each side.
        messages_only: leave out and do not count entries that are no messages.
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
            # A seq above head is `newest`, which has other default counts.
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
    if directory and user not in await existing_users(directory, [user]):
        raise NotFound


def _place(anchor: Anchor, window: Window) -> Seq:
    """Return the seq of the anchor in a window; 0 for the place before all entries."""
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
    """Return the page without the entries farthest from ``place`` that would make the answer too large."""
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
    """The seq up to which a client has all entries of a room. 0 is for no entries, and needs no epoch."""

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
    """The status of one room. ``view`` is None for ``gone``; only ``events`` has ``entries``."""

    status: Status
    view: RoomView | None = None
    entries: Sequence[Entry] | None = None


@frozen(kw_only=True)
class SyncResult:
    """The answer of `Sync`: the status of each room that a cursor named, as ``user`` sees it."""

    user: UserId
    epoch: str
    rooms: Mapping[RoomId, RoomSync]


@frozen(kw_only=True)
class Sync(ReadingCommand[SyncResult]):
    """Read what a client missed in each of up to 500 rooms: the entries above its cursor, or a status to act on.

    On a socket, no entry of these rooms is pushed while the command runs. The first entry that is pushed after the
    answer follows the ``head`` of the answer.
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
        # No await from here to the answer: the subscriptions push after it.
        heads = {room: status.view.head for room, status in synced.rooms.items() if status.view}
        context.hub.synced(context.socket, self.cursors, held, heads)
        return synced

    async def _read(self, context: Context) -> SyncResult:
        epoch = context.store.epoch
        # A cursor of another epoch is no position in this store: read nothing, and answer `reset`.
        seqs = {
            room: cursor.seq if cursor.epoch in (None, epoch) else fields.INTEGER_MAX
            for room, cursor in self.cursors.items()
        }
        missed = await context.store.catch_up(context.user, seqs, EVENTS_MAX, ANSWER_BYTES_MAX)
        budget = Budget(left=ANSWER_BYTES_MAX - sum(map(synced_size, seqs)))
        rooms = {room: _within(budget, _sync_of(missed.get(room), after)) for room, after in seqs.items()}
        return SyncResult(user=context.user, epoch=epoch, rooms=rooms)


def _within(budget: Budget, synced: RoomSync) -> RoomSync:
    """Return the room's status with the parts that fit into the budget: entries first, then members' markers."""
    view = synced.view
    if view is None:
        return synced
    if synced.entries and not budget.has(sum(map(entry_size, synced.entries))):
        synced = evolve(synced, status="gap", entries=None)
    if not budget.has(markers_size(view)):
        synced = evolve(synced, view=evolve(view, markers=None))
    return synced


def _sync_of(caught_up: RoomCatchUp | None, after: Seq) -> RoomSync:
    if caught_up is None:
        return RoomSync(status="gone")
    view, entries = caught_up.view, caught_up.entries
    if after > view.head:
        return RoomSync(status="reset", view=view)
    if entries is None and after < view.head:
        return RoomSync(status="gap", view=view)
    # At head there is no missing entry. A store that has reached the size of the answer returns None there too.
    return RoomSync(status="events", view=view, entries=entries or ())


@frozen(kw_only=True)
class RoomList:
    """The answer of `ListRooms`: the newest last entry first. ``next`` is the ``after`` of the next page."""

    rooms: Sequence[Room]
    next: str | None = None


@frozen(kw_only=True)
class ListRooms(ReadingCommand[RoomList]):
    """List the rooms in which the user is a member or invited."""

    name = "rooms"
    routes = (Route("GET", "/rooms"),)

    after: str | None = field(default=None, validator=optional(fields.text(1, 1024)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> RoomList:
        page = await page_of_rooms(context.store, context.user, self.after, self.limit)
        epoch = context.store.epoch
        return RoomList(rooms=[Room(user=context.user, epoch=epoch, view=view) for view in page.rooms], next=page.next)


async def page_of_rooms(store: Store, user: UserId, after: str | None, limit: int) -> RoomPage:
    """Return a page of the user's rooms that fits into one answer: fewer rooms if they are large."""
    page = await store.page(user, after, limit)
    while len(page.rooms) > 1 and sum(map(room_size, page.rooms)) > ANSWER_BYTES_MAX:
        page = await store.page(user, after, len(page.rooms) // 2)
    return page
