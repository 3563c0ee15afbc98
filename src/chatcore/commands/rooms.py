"""Commands that create, update, read and list rooms."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

from attrs import field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.decider import Facts
from ..domain.entries import Entry, Event, Opened, RoomOpening, Updated
from ..domain.names import title_form
from ..domain.permissions import Action
from ..domain.state import MARKERS_SHOWN_TO, Marker, Membership, RoomState, RoomView
from ..errors import ChatError, Forbidden, NotFound
from ..ids import Key, RoomId, UserId, created_room_id
from ..ports.pushes import Room
from ..ports.rate_limiter import LimitName
from ..ports.room_views import RoomPage
from ..ports.store import Store
from . import fields
from .answer_sizes import ANSWER_BYTES_MAX, room_size, room_size_at_most
from .command import ChangeCommand, Context, ReadingCommand, Refusals, RoomCommand, Route, Routes, UserFields

FIRST_MEMBERS_MAX = 100
"""The most users that `CreateRoom` makes members besides the creator."""
PUBLIC_TOKEN_MAX = 4_096
"""Characters. A place in the list of public rooms has a title in it."""


@frozen(kw_only=True)
class CreateRoom(RoomCommand[Room]):
    """Create a group or a public room. The creator is its owner; ``members``, at most 100, become members at once.

    The answer, also that of a retry, is the room as of seq 1.
    """

    name = "room.create"
    action: ClassVar[Action] = "create"
    routes: ClassVar[Routes] = (Route("POST", "/rooms", created=True),)
    user_fields: ClassVar[UserFields] = ("members",)
    refusals: ClassVar[Refusals] = {
        "not_found": "a user in `members` does not exist",
        "forbidden": "a user in `members` has blocked the creator",
        "key_reused": "the key was used with another content",
        "rate_limited": "the limit of new rooms, or of invitations: each of `members` counts as one",
    }
    heeds_blocks = True

    kind: Literal["group", "public"] = field(validator=fields.one_of("group", "public"))
    title: str = field(validator=fields.title)
    members: Sequence[UserId] = field(default=(), converter=fields.ids, validator=fields.users(FIRST_MEMBERS_MAX))
    key: Key = field(validator=fields.key)

    @property
    def counts(self) -> Mapping[LimitName, int]:
        return {"create": 1, "invite": len(self.members)} if self.members else {"create": 1}

    def room_id(self, user: UserId, key: Key) -> RoomId:
        return created_room_id(user, key)

    def content(self) -> Mapping[str, Any]:
        return {"kind": self.kind, "title": self.title, "members": fields.each_once(self.members)}

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return self.members

    def opens(self, user: UserId) -> RoomOpening:
        return RoomOpening(
            kind=self.kind, title=self.title, members={**dict.fromkeys(self.members, "member"), user: "owner"}
        )

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        return Forbidden() if facts.blocked_by and not facts.trusted else Opened()

    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> Room:
        opens = entry.opens or self.opens(entry.author)
        members = opens.members
        start = Marker(0, 0)
        few = len(members) <= MARKERS_SHOWN_TO
        view = RoomView(
            room=entry.room,
            kind=opens.kind,
            title=opens.title,
            head=entry.seq,
            members_count=len(members),
            last=entry,
            member=Membership(members[entry.author], since=entry.seq),
            marker=start,
            unread=0,
            markers=dict.fromkeys(members, start) if few else None,
        )
        return Room(user=entry.author, epoch=epoch, view=view, duplicate=duplicate)


@frozen(kw_only=True)
class UpdateRoom(ChangeCommand):
    """Change the title of a room."""

    name = "room.update"
    action: ClassVar[Action] = "update"
    routes: ClassVar[Routes] = (Route("PATCH", "/rooms/{room}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member is no admin or owner; a private room",
        "not_found": "the user is not a member",
    }

    title: str = field(validator=fields.title)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        return None if state.title == self.title else Updated(title=self.title)


@frozen(kw_only=True)
class GetRoom(ReadingCommand[Room]):
    """Read a room as the user sees it."""

    name = "room.get"
    routes: ClassVar[Routes] = (Route("GET", "/rooms/{room}"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user may not know of the room",
    }

    room: RoomId = field(validator=fields.room)

    async def handle(self, context: Context) -> Room:
        views = await context.store.views(self.room, [context.user])
        if (view := views.get(context.user)) is None:
            raise NotFound
        refusal = permissions.refusal("get", view.kind, view.member, context.rights)
        if refusal:
            raise refusal
        return Room(user=context.user, epoch=context.store.epoch, view=view)


@frozen(kw_only=True)
class RoomList:
    """The answer of `ListRooms` and `ListPublicRooms`. ``next`` is the ``after`` of the next page."""

    rooms: Sequence[Room]
    next: str | None = None


@frozen(kw_only=True)
class ListRooms(ReadingCommand[RoomList]):
    """List the rooms in which the user is a member or invited, the newest last entry first."""

    name = "rooms"
    routes: ClassVar[Routes] = (Route("GET", "/rooms"),)

    after: str | None = field(default=None, validator=optional(fields.text(1, 1024)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> RoomList:
        page = await page_of_rooms(context.store, context.user, self.after, self.limit)
        epoch = context.store.epoch
        return RoomList(rooms=[Room(user=context.user, epoch=epoch, view=view) for view in page.rooms], next=page.next)


@frozen(kw_only=True)
class ListPublicRooms(ReadingCommand[RoomList]):
    """Find public rooms by the start of their title, each as `room.get` shows it to the user.

    They are sorted by title. Case, width and composition of characters make no difference. Rooms without members, and
    those from which the user is banned, are left out. A page may have fewer rooms than ``limit``, or none, although it
    has a ``next``.

    Attributes:
        prefix: the start of the titles; without it all public rooms are listed.
    """

    name = "rooms.public"
    routes: ClassVar[Routes] = (Route("GET", "/public-rooms"),)

    prefix: str | None = field(default=None, validator=optional(fields.prefix))
    after: str | None = field(default=None, validator=optional(fields.text(1, PUBLIC_TOKEN_MAX)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> RoomList:
        store, user, prefix = context.store, context.user, title_form(self.prefix or "")

        async def read(limit: int) -> RoomPage:
            return await store.public_rooms(user, prefix, self.after, limit)

        page = await page_that_fits(await read(self.limit), read)
        shown = [view for view in page.rooms if not permissions.refusal("get", view.kind, view.member, context.rights)]
        return RoomList(rooms=[Room(user=user, epoch=store.epoch, view=view) for view in shown], next=page.next)


async def page_of_rooms(store: Store, user: UserId, after: str | None, limit: int) -> RoomPage:
    """Return a page of the user's rooms that fits into one answer: fewer rooms if they are large."""
    return await page_that_fits(await store.page(user, after, limit), lambda fewer: store.page(user, after, fewer))


async def page_that_fits(page: RoomPage, read: Callable[[int], Awaitable[RoomPage]]) -> RoomPage:
    """Return ``page``, or ``read`` one with fewer rooms until it fits into one answer."""
    while len(page.rooms) > 1 and _is_too_large(page.rooms):
        page = await read(len(page.rooms) // 2)
    return page


def _is_too_large(rooms: Sequence[RoomView]) -> bool:
    at_most = sum(map(room_size_at_most, rooms))
    return at_most > ANSWER_BYTES_MAX and sum(map(room_size, rooms)) > ANSWER_BYTES_MAX
