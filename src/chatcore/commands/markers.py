"""Commands about a user's markers: update one, and count what is unread in all rooms."""

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.state import MarkerUpdate, RoomView
from ..errors import Invalid, NotFound
from ..ids import RoomId, Seq
from ..ports.room_views import UnreadTotal
from . import fields
from .command import Context, ReadingCommand, Refusals, Route, Routes


@frozen(kw_only=True)
class Unread(ReadingCommand[UnreadTotal]):
    """Count the unread messages in all rooms of the user, without muted rooms, up to 100 in a room."""

    name = "unread"
    routes: ClassVar[Routes] = (Route("GET", "/unread"),)

    async def handle(self, context: Context) -> UnreadTotal:
        return await context.store.unread_total(context.user)


@frozen(kw_only=True)
class MarkResult:
    """The answer of `Mark`: the user's marker in the room. ``unread`` is exact up to 99, then 100."""

    read: Seq
    delivered: Seq
    unread: int
    muted: bool


@frozen(kw_only=True)
class Mark(ReadingCommand[MarkResult]):
    """Update the user's read and delivered positions, which never go down.

    ``read`` raises ``delivered`` and ends ``unread_from``. Without any field the command changes nothing and returns
    the present values.
    """

    name = "mark"
    routes: ClassVar[Routes] = (Route("PUT", "/rooms/{room}/marker"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member",
        "invalid": "a position is above head",
    }

    room: RoomId = field(validator=fields.room)
    read: Seq | None = field(default=None, validator=optional(fields.integer(0)))
    delivered: Seq | None = field(default=None, validator=optional(fields.integer(0)))
    unread_from: Seq | None = field(default=None, validator=optional(fields.seq))
    muted: bool | None = field(default=None, validator=optional(fields.boolean))

    async def handle(self, context: Context) -> MarkResult:
        user, store = context.user, context.store
        change = MarkerUpdate(read=self.read, delivered=self.delivered, unread_from=self.unread_from, muted=self.muted)
        view = (await store.views(self.room, [user])).get(user)
        self._check(view, context.rights)
        if view and change != MarkerUpdate():
            context.hub.marker_will_change(user, view)
            view = await store.mark(user, self.room, change)
            if view and view.marker:
                context.hub.marker_changed(user, view, context.socket)
        if view is None or view.marker is None:
            raise NotFound
        marker = view.marker
        return MarkResult(read=marker.read, delivered=marker.delivered, unread=view.unread, muted=marker.muted)

    def _check(self, view: RoomView | None, rights: permissions.Rights) -> None:
        if view is None:
            raise NotFound
        if refusal := permissions.refusal("mark", view.kind, view.member, rights):
            raise refusal
        for name in ("read", "delivered", "unread_from"):
            if (getattr(self, name) or 0) > view.head:
                raise Invalid(f"{name} must not be above the room's head.", field=name)
