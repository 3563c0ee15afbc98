"""Pages of a room's log."""

from collections.abc import Collection, Sequence

from attrs import frozen

from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.entry_log import Anchor, FirstUnread, Window

from . import queries
from .documents import read_became
from .presenting import as_written, present
from .queries import Query
from .reading import Reading, gone_of, only
from .standing import standings_at


@frozen(kw_only=True)
class Page:
    """What is asked for, as `EntryLog.window` says."""

    user: UserId
    room: RoomId
    anchor: Anchor
    before: int
    after: int
    messages_only: bool


async def window(reading: Reading, page: Page) -> Window:
    """As `EntryLog.window` says."""
    room, user = page.room, page.user
    pending, heads = await reading.ask(queries.pending([room]), queries.head(room))
    head = only(heads)
    if head is None:
        return Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)
    gone, upto = gone_of(pending), head["seq"]
    place = await _place(reading, page, upto, gone.get(room, ()))
    standings, behind, at, ahead, *rest = await reading.ask(
        queries.standings([user], [room], upto), *_around(page, place, upto), *_beside(page, place, upto)
    )
    entries = as_written([*reversed(behind), *at, *ahead], gone.get(room, ()))
    if page.messages_only:
        changes, (has_before, has_after) = None, map(bool, rest)
    else:
        (changes,), has_before, has_after = rest, place - 1 > page.before, upto - place > page.after
    return Window(
        head=upto,
        kind=read_became(head).kind,
        member=standings_at(standings, {room: upto}).get((room, user)),
        entries=await present(reading, user, entries, {room: upto}, changes),
        has_before=has_before,
        has_after=has_after,
    )


def _around(page: Page, place: Seq, upto: Seq) -> Sequence[Query | None]:
    """What lies behind the place, at it, and ahead."""
    room, messages_only = page.room, page.messages_only
    return [
        queries.below(room, place, page.before, messages_only=messages_only) if page.before else None,
        (queries.message_at if messages_only else queries.entry_at)(room, place) if place <= upto else None,
        queries.above(room, place, upto, page.after, messages_only=messages_only) if page.after else None,
    ]


def _beside(page: Page, place: Seq, upto: Seq) -> Sequence[Query]:
    """Of messages only, whether there are more on either side. Of entries, which have no hole between them, that is
    known, and so is which messages there can be: their last changes."""
    if not page.messages_only:
        return [queries.last_changes(page.room, range(place - page.before, place + page.after + 1), upto)]
    behind, ahead = {"$lt": place}, {"$gt": place, "$lte": upto}
    return [
        queries.message_beyond(page.room, behind, -1, page.before),
        queries.message_beyond(page.room, ahead, 1, page.after),
    ]


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
