"""A store that projects its views from its log."""

from abc import abstractmethod
from bisect import bisect_left, bisect_right, insort
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TypeAlias

import anyio
from attrs import evolve

from ..domain.blocks import private_room_pairs
from ..domain.markers import StoredMarker, current_marker
from ..domain.page_tokens import PageToken, TitlePlace
from ..domain.room_projection import RoomProjection
from ..domain.serialization import milliseconds, text_bytes
from ..domain.state import Marker, MarkerUpdate, RoomState, RoomView
from ..ids import RoomId, Seq, UserId
from .entry_log import FeedPosition
from .room_views import Anchor, FirstUnread, RoomCatchUp, RoomMembers, RoomMembership, RoomPage, UnreadTotal, Window
from .store import Store

READ_TOGETHER = 1_000
"""The most entries, or changes, of one read."""

MarkerId: TypeAlias = tuple[RoomId, UserId]


class LogStore(Store):
    """A store that writes its log and its markers. Views of rooms are projections of these.

    The defaults are right, not fast. An instance reads every room's log once, and later only what was added, and keeps
    in memory what it has read. A store overrides what its database does better. ``changes`` must include an entry as
    soon as ``append`` has returned.
    """

    def __init__(self) -> None:
        self._projections: dict[RoomId, RoomProjection] = {}
        self._heads: dict[RoomId, Seq] = {}
        self._rooms_of: dict[UserId, dict[RoomId, None]] = {}
        """The rooms in which the user is, or was, a member, invited or banned; in the same order in every run."""
        self._public = _PublicPlaces()
        self._unlisted: dict[RoomId, None] = {}
        """The rooms that have changed since their places in ``_public`` were noted."""
        self._position: FeedPosition = 0
        self._reading = anyio.Lock(fast_acquire=True)

    @abstractmethod
    async def stored_markers(self, ids: Collection[MarkerId]) -> Mapping[MarkerId, StoredMarker]:
        """Return the stored markers of ``ids``, as of one snapshot. Raises `Unavailable`."""

    @abstractmethod
    async def update_marker(self, marker: MarkerId, since: Seq, change: MarkerUpdate) -> StoredMarker:
        """Replace the stored marker by the result of `updated_marker`, and return that result.

        The replacement is atomic. Raises `Unavailable`.
        """

    async def state(self, room: RoomId) -> RoomState:
        state = (await self._read(room)).state
        pairs = private_room_pairs(room)
        blocks = await self.blocks_among(pairs) if pairs else ()
        return evolve(state, blocked=frozenset(other for _, other in blocks)) if blocks else state

    async def window(
        self, user: UserId, room: RoomId, anchor: Anchor, before: int, after: int, *, messages_only: bool = False
    ) -> Window:
        projection = await self._read(room)
        place = _place(projection, anchor)
        entries, has_before, has_after = projection.around(user, place, before, after, messages_only=messages_only)
        return Window(
            head=projection.state.head,
            kind=projection.state.kind,
            member=projection.state.members.get(user),
            entries=entries,
            has_before=has_before,
            has_after=has_after,
        )

    async def members(self, user: UserId, room: RoomId, after: UserId | None, limit: int) -> RoomMembers:
        projection = await self._read(room)
        users, has_after = projection.users(user, after, limit)
        state = projection.state
        return RoomMembers(kind=state.kind, member=state.members.get(user), users=users, has_after=has_after)

    async def memberships(self, user: UserId, room: RoomId | None = None) -> Sequence[RoomMembership]:
        projections = await self._read_all(partial(self._rooms, user)) if room is None else [await self._read(room)]
        return [
            RoomMembership(room=projection.state.room, head=projection.state.head, member=member)
            for projection in projections
            if (member := projection.listed_member(user))
        ]

    async def catch_up(
        self, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
    ) -> Mapping[RoomId, RoomCatchUp]:
        projections, markers = await self._read_views(partial(self._read_all, lambda: cursors), [user])
        caught_up: dict[RoomId, RoomCatchUp] = {}
        left = size
        for projection in projections:
            room = projection.state.room
            if user in projection.members:
                above = projection.entries[max(cursors[room], 0) :]
                entries = None if left < 0 or len(above) > limit else projection.present(user, above)
                left -= sum(map(text_bytes, entries or ()))
                caught_up[room] = RoomCatchUp(view=projection.view(user, markers[room]), entries=entries)
        return caught_up

    async def page(self, user: UserId, after: str | None, limit: int) -> RoomPage:
        top = None if after is None else PageToken.decoded(after)
        projections, markers = await self._read_views(partial(self._read_all, partial(self._rooms, user)), [user])
        listed = [(_token(projection), projection) for projection in projections if projection.listed_member(user)]
        listed.sort(key=lambda place: place[0], reverse=True)
        below = [(token, projection) for token, projection in listed if top is None or token < top]
        return RoomPage(
            rooms=[projection.view(user, markers[projection.state.room]) for _, projection in below[:limit]],
            next=below[limit - 1][0].encoded() if len(below) > limit else None,
        )

    async def public_rooms(self, user: UserId, prefix: str, after: str | None, limit: int) -> RoomPage:
        start = TitlePlace.start(prefix, after)

        async def read() -> Sequence[RoomProjection]:
            while True:
                for room in await self._read_all(lambda: self._unlisted):
                    self._public.put(room.state.room, room.public_place)
                self._unlisted.clear()
                above = ((place, self._projections[place.room]) for place in self._public.above(start, prefix))
                found = list(islice((placed for placed in above if not placed[1].has_banned(user)), limit + 1))
                # Else another call has just read a later entry. The next read of the changes names its room.
                if all(room.public_place == place for place, room in found):
                    return [room for _, room in found]

        projections, markers = await self._read_views(read, [user])
        shown = projections[:limit]
        last = shown[-1].public_place if len(projections) > limit else None
        return RoomPage(
            rooms=[projection.view(user, markers[projection.state.room]) for projection in shown],
            next=last.encoded() if last else None,
        )

    async def unread_total(self, user: UserId) -> UnreadTotal:
        projections, markers = await self._read_views(partial(self._read_all, partial(self._rooms, user)), [user])
        views = [room.view(user, markers[room.state.room]) for room in projections if user in room.members]
        counts = [view.unread for view in views if view.marker and not view.marker.muted]
        return UnreadTotal(rooms=sum(count > 0 for count in counts), messages=sum(counts))

    async def acquaintances(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        rooms = [room for room in await self._read_all(partial(self._rooms, user)) if room.listed_member(user)]
        return frozenset(other for other in others if any(room.listed_member(other) for room in rooms))

    async def fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        rooms = [room for room in await self._read_all(partial(self._rooms, user)) if user in room.members]
        return frozenset(other for other in others if any(other in room.members for room in rooms))

    async def views(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
        projections, markers = await self._read_views(partial(self._read_one, room), users)
        return {user: projection.view(user, markers[room]) for projection in projections for user in users}

    async def markers(self, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, Marker]:
        _, markers = await self._read_views(partial(self._read_one, room), users)
        return {user: markers[room][user] for user in users if user in markers.get(room, ())}

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        state = (await self._read(room)).state
        member, updated = state.member(user), None
        if member and change.fits(state.head) and change != MarkerUpdate():
            updated = await self.update_marker((room, user), member.since, change)
        projections, markers = await self._read_views(partial(self._read_one, room), [user])
        for projection in projections:
            if updated and user in projection.members:  # a later update by the user may have been read
                markers[room][user] = current_marker(updated, projection.members[user].since)
            return projection.view(user, markers[room])
        return None

    async def _read(self, room: RoomId) -> RoomProjection:
        """Return the room as of its head. A room without entries is not kept."""
        projection = self._projections.get(room) or RoomProjection(room)
        await self._read_on(projection)
        if projection.state.head:
            self._projections.setdefault(room, projection)
        return projection

    async def _read_one(self, room: RoomId) -> Sequence[RoomProjection]:
        """Return the room as of its head, if it has entries."""
        projection = await self._read(room)
        return [projection] if projection.state.head else []

    async def _read_on(self, projection: RoomProjection) -> None:
        while True:
            log = await self.read_on(projection.state.room, projection.state.head, READ_TOGETHER)
            projection.apply(log.entries)
            if projection.state.head >= log.head:
                return

    async def _read_all(self, rooms: Callable[[], Iterable[RoomId]]) -> Sequence[RoomProjection]:
        """Return the rooms that have entries, as of the moment of one read of the changes."""
        while True:
            await self._read_changes()
            existing = [room for room in rooms() if room in self._heads]
            projections = [self._projections.setdefault(room, RoomProjection(room)) for room in existing]
            changed = [projection for projection in projections if self._is_behind(projection)]
            if not changed:
                return projections
            for projection in changed:
                await self._read_on(projection)

    def _is_behind(self, projection: RoomProjection) -> bool:
        return projection.state.head != self._heads[projection.state.room]

    async def _read_changes(self) -> None:
        # One call at a time: concurrent calls would all read the same changes.
        async with self._reading:
            more = True
            while more:
                page = await self.changes(self._position, READ_TOGETHER)
                for change in page.changes:
                    self._position = max(self._position, change.position)
                    self._heads[change.room] = max(self._heads.get(change.room, 0), change.seq)
                    self._unlisted[change.room] = None
                    for user in change.affects:
                        self._rooms_of.setdefault(user, {})[change.room] = None
                more = page.more

    def _rooms(self, user: UserId) -> Iterable[RoomId]:
        """Return the rooms that may be in the user's list."""
        return self._rooms_of.get(user, ())

    async def _read_views(
        self, read: Callable[[], Awaitable[Sequence[RoomProjection]]], users: Sequence[UserId]
    ) -> tuple[Sequence[RoomProjection], Mapping[RoomId, dict[UserId, Marker]]]:
        """Return the rooms of ``read``, the markers of ``users`` and the markers that are shown, as of one moment.

        The markers are read between two reads of the logs with equal results.
        """
        projections = await read()
        while True:
            heads = _heads(projections)
            ids = [(projection.state.room, user) for projection in projections for user in _shown(projection, users)]
            stored = await self.stored_markers(ids)
            projections = await read()
            if heads == _heads(projections):
                return projections, {
                    projection.state.room: _markers(projection, users, stored) for projection in projections
                }


class _PublicPlaces:
    """The places of public rooms, sorted."""

    def __init__(self) -> None:
        self._places: list[TitlePlace] = []
        self._by_room: dict[RoomId, TitlePlace] = {}

    def put(self, room: RoomId, place: TitlePlace | None) -> None:
        """Note the place of a room, or None for a room that has none."""
        former = self._by_room.pop(room, None)
        if former is not None:
            del self._places[bisect_left(self._places, former)]
        if place is not None:
            self._by_room[room] = place
            insort(self._places, place)

    def above(self, start: TitlePlace, prefix: str) -> Iterator[TitlePlace]:
        """Yield the places above ``start`` with forms that begin with ``prefix``."""
        for place in islice(self._places, bisect_right(self._places, start), None):
            if not place.form.startswith(prefix):
                return
            yield place


def _heads(projections: Iterable[RoomProjection]) -> Mapping[RoomId, Seq]:
    return {projection.state.room: projection.state.head for projection in projections}


def _shown(projection: RoomProjection, users: Iterable[UserId]) -> Iterable[UserId]:
    """Return the members of which the markers are read: those of ``users``, in small rooms all."""
    members = projection.members
    return members if projection.shows_markers else [user for user in users if user in members]


def _markers(
    projection: RoomProjection, users: Iterable[UserId], stored: Mapping[MarkerId, StoredMarker]
) -> dict[UserId, Marker]:
    room, members = projection.state.room, projection.members
    return {user: current_marker(stored.get((room, user)), members[user].since) for user in _shown(projection, users)}


def _place(projection: RoomProjection, anchor: Anchor) -> Seq:
    newest = projection.state.head + 1
    match anchor:
        case "newest":
            return newest
        case "oldest":
            return 0
        case FirstUnread(user=user, read=read):
            return projection.first_unread(user, read) or newest
        case seq:
            return seq


def _token(projection: RoomProjection) -> PageToken:
    return PageToken.of(projection.state.room, milliseconds(projection.entries[-1].at))
