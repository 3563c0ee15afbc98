"""A user's rooms, and rooms as users see them."""

from collections.abc import Mapping, Sequence

from chatcore.domain.page_tokens import PageToken
from chatcore.domain.state import Marker, RoomView
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.entry_log import RoomMembership
from chatcore.ports.room_views import RoomPage

from . import queries
from .documents import Document, listed, marker_id, place_in_list, read_marker
from .reading import Reading, gone_of, only
from .standing import Standings, standings_at
from .viewing import Head, Viewer, heads_of


async def memberships(reading: Reading, user: UserId, room: RoomId | None) -> Sequence[RoomMembership]:
    """As `EntryLog.memberships` says."""
    found, standings = await _rooms_of(reading, user, None if room is None else [room])
    rows = [(one["_id"], one["seq"]) for one in found]
    return [RoomMembership(room=name, head=head, member=standings[name, user]) for name, head in rows]


async def page(reading: Reading, user: UserId, after: PageToken | None, limit: int) -> RoomPage:
    """As `RoomViews.page` says."""
    found, standings = await _rooms_of(reading, user, None)
    places = {one["_id"]: place_in_list(one["_id"], one["at"]) for one in found}
    below = [one for one in found if after is None or places[one["_id"]] < after]
    below.sort(key=lambda one: places[one["_id"]], reverse=True)
    shown = below[:limit]
    gone = await reading.gone([one["_id"] for one in shown])
    heads = await heads_of(reading, shown)
    views = await Viewer(reading, gone, standings).views(heads, [user])
    return RoomPage(
        rooms=[views[head.room, user] for head in heads],
        next=places[shown[-1]["_id"]].encoded() if len(below) > limit else None,
    )


async def _rooms_of(
    reading: Reading, user: UserId, rooms: Sequence[RoomId] | None
) -> tuple[Sequence[Document], Standings]:
    """The rooms in a user's list as `queries.heads` gives them, and the user's standing in them as of these heads."""
    if rooms is None:
        (first,) = await reading.ask(queries.standings([user], None))
        rooms = list({one["room"]: None for one in first})
    heads, found = await reading.ask(queries.heads(rooms), queries.standings([user], rooms))
    standings = standings_at(found, {one["_id"]: one["seq"] for one in heads})
    return [one for one in heads if listed(standings.get((one["_id"], user)))], standings


async def views(reading: Reading, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
    """As `RoomViews.views` says."""
    pending, heads, found = await reading.ask(
        queries.pending([room]), queries.head(room), queries.standings(users, [room])
    )
    head = only(heads)
    if head is None or not users:
        return {}
    viewer = Viewer(reading, gone_of(pending), standings_at(found, {room: head["seq"]}))
    seen = await viewer.views([Head(head)], users)
    return {user: seen[room, user] for user in users}


async def markers(reading: Reading, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
    """As `Markers.markers` says."""
    heads, found, kept = await reading.ask(
        queries.head(room),
        queries.standings(users, [room]),
        queries.markers([marker_id(room, user) for user in users]),
    )
    head = only(heads)
    standings = standings_at(found, {room: head["seq"]} if head else {})
    by_identity = {one["_id"]: one for one in kept}
    return {
        user: read_marker(by_identity.get(marker_id(room, user)), member.since)
        for user in users
        if (member := standings.get((room, user))) and member.standing == "member"
    }


async def member_since(reading: Reading, room: RoomId, user: UserId) -> tuple[Seq, Seq | None]:
    """The head, and since when the user is a member, if they are."""
    heads, found = await reading.ask(queries.head(room), queries.standings([user], [room]))
    head = only(heads)
    if head is None:
        return 0, None
    member = standings_at(found, {room: head["seq"]}).get((room, user))
    return head["seq"], member.since if member and member.standing == "member" else None
