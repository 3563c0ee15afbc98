"""Pages of a room's log."""

from collections.abc import Collection

from attrs import frozen

from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_log import Anchor, FirstUnread, Window

from . import queries
from .documents import read_became
from .presenting import as_written, present
from .reading import Reading, gone_of, only
from .standing import standings_at


@frozen(kw_only=True)
class Page:
    """What is asked for, as `RoomLog.window` says."""

    user: UserId
    room: RoomId
    anchor: Anchor
    before: int
    after: int
    messages_only: bool


async def window(reading: Reading, page: Page) -> Window:
    """As `RoomLog.window` says."""
    room, user = page.room, page.user
    pending, heads = await reading.ask(queries.pending([room]), queries.head(room))
    head = only(heads)
    if head is None:
        return Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)
    gone, upto = gone_of(pending), head["seq"]
    place = await _place(reading, page, upto, gone.get(room, ()))
    there = queries.message_at(room, place) if page.messages_only else queries.entry_at(room, place)
    behind, at, ahead, standings = await reading.ask(
        queries.below(room, place, page.before + 1, messages_only=page.messages_only),
        there,
        queries.above(room, place, upto, page.after + 1, messages_only=page.messages_only),
        queries.standings([user], [room], upto),
    )
    found = [*reversed(behind[: page.before]), *(one for one in at if one["seq"] <= upto), *ahead[: page.after]]
    entries = as_written(found, gone.get(room, ()))
    return Window(
        head=upto,
        kind=read_became(head).kind,
        member=standings_at(standings, {room: upto}).get((room, user)),
        entries=await present(reading, user, entries, {room: upto}, gone),
        has_before=len(behind) > page.before,
        has_after=len(ahead) > page.after,
    )


async def _place(reading: Reading, page: Page, head: Seq, gone: Collection[Seq]) -> Seq:
    newest = head + 1
    match page.anchor:
        case "newest":
            return newest
        case "oldest":
            return 0
        case FirstUnread(user=user, read=read):
            found = await reading.ask_one(queries.first_unread(page.room, user, read, head, gone))
            return found["seq"] if found else newest
        case seq:
            return min(seq, newest)
