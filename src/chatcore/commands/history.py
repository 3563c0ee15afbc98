"""The command that reads a page of a room's history."""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from attrs import evolve, field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.entries import Entry
from ..errors import Invalid, NotFound
from ..ids import RoomId, Seq, UserId, private_room_id
from ..ports.room_views import Anchor, FirstUnread, Window
from ..ports.user_directory import UserDirectory
from . import fields
from .answer_sizes import ANSWER_BYTES_MAX, entry_size
from .command import Conditions, Context, ReadingCommand, Refusals, Route, Routes, UserFields


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
        peer: the other user of a private room, which may have no entries yet; on the wire ``with``.
        anchor: ``newest``, ``oldest``, ``first_unread`` or a seq.
        before: most entries before the anchor; 0 if only ``after`` is given.
        after: most entries after the anchor; 0 if only ``before`` is given. ``before`` and ``after`` are at most 200
            together. If neither is given, the page has 50 entries at ``newest`` and ``oldest``, else 25 on each side.
        messages_only: leave out and do not count entries that are no messages.
    """

    name = "history"
    routes: ClassVar[Routes] = (Route("GET", "/rooms/{room}/entries"), Route("GET", "/users/{with}/entries"))
    user_fields: ClassVar[UserFields] = ("peer",)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member of the room; the user in `with` does not exist",
    }
    conditions: ClassVar[Conditions] = ({"oneOf": [{"required": ["room"]}, {"required": ["with"]}]},)

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
    if directory and user not in await directory([user]):
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
