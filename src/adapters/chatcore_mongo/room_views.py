"""Rooms as users see them in lists: last entry, members, markers, and the number of unread messages."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import frozen

from chatcore.domain.page_tokens import PageToken
from chatcore.domain.state import Marker, Membership, RoomView
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_views import RoomPage, UnreadTotal

from . import queries
from .documents import (
    MEMBERS_LISTED,
    Document,
    marker_id,
    page_token,
    read_entry,
    read_marker,
    read_members,
    read_summary,
)
from .memberships import Memberships, listed_rooms, memberships_at
from .read_session import PendingErasures, ReadSession, complete, messages_by_room, only

RoomUser: TypeAlias = tuple[RoomId, UserId]
MembersSince: TypeAlias = Mapping[RoomId, Mapping[UserId, Seq]]
"""The members of each room with at most `MEMBERS_LISTED`, each with the seq at which the membership began."""


async def page(session: ReadSession, user: UserId, after: PageToken | None, limit: int) -> RoomPage:
    """Return a page of a user's rooms, as `RoomViews.page` says."""
    heads, memberships = await listed_rooms(session, user)
    places = {head["_id"]: page_token(head["_id"], head["at"]) for head in heads}
    below = [head for head in heads if after is None or places[head["_id"]] < after]
    below.sort(key=lambda head: places[head["_id"]], reverse=True)
    shown = below[:limit]
    erasures = await session.pending_erasures([head["_id"] for head in shown])
    entries = await last_entries(session, shown)
    built = await RoomViewBuilder(session, erasures, memberships).build(entries, [user])
    return RoomPage(
        rooms=[built[entry["room"], user] for entry in entries],
        next=places[shown[-1]["_id"]].encoded() if len(below) > limit else None,
    )


async def unread_total(session: ReadSession, user: UserId) -> UnreadTotal:
    """Return how much a user has not read, as `RoomViews.unread_total` says."""
    heads, memberships = await listed_rooms(session, user)
    entries = [
        {"room": head["_id"], "seq": head["seq"]} for head in heads if memberships[head["_id"], user].state == "member"
    ]
    erasures = await session.pending_erasures([entry["room"] for entry in entries])
    counts = await RoomViewBuilder(session, erasures, memberships).unread_counts(entries, user)
    return UnreadTotal(rooms=sum(count > 0 for count in counts), messages=sum(counts))


async def views(session: ReadSession, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
    """Return a room as each of ``users`` sees it, as `RoomViews.views` says."""
    deletions, heads, changes = await session.fetch(
        queries.pending_erasures([room]), queries.head(room), queries.membership_changes(users, [room])
    )
    head = only(heads)
    if head is None or not users:
        return {}
    builder = RoomViewBuilder(session, messages_by_room(deletions), memberships_at(changes, {room: head["seq"]}))
    built = await builder.build([head], users)
    return {user: built[room, user] for user in users}


async def last_entries(session: ReadSession, heads: Sequence[Document]) -> Sequence[Document]:
    """Return the entries to which the documents of `queries.heads` point, in their order."""
    if not heads:
        return []
    ids = [head["entry"] for head in heads]
    (entries,) = await session.fetch(queries.by_id(ids))
    by_id = {entry["_id"]: entry for entry in complete(entries, len(ids))}
    return [by_id[identity] for identity in ids]


@frozen
class RoomViewBuilder:
    """Builds the views of rooms.

    Attributes:
        session: reads the other parts of the views.
        erasures: the pending erasures of at least the rooms that are viewed.
        memberships: the memberships of at least the users who view, as of the rooms' heads.
    """

    session: ReadSession
    erasures: PendingErasures
    memberships: Memberships

    async def build(self, entries: Sequence[Document], users: Sequence[UserId]) -> Mapping[RoomUser, RoomView]:
        """Return each room as each user sees it.

        Args:
            entries: the rooms' last entries.
            users: the users who view, whether or not they are members.
        """
        members = await self._members_since(entries)
        markers = await self._markers(entries, users, members)
        unread = await self._unread(entries, users, markers)
        return {
            (entry["room"], user): self._view(entry, user, members, markers, unread)
            for entry in entries
            for user in users
        }

    async def unread_counts(self, entries: Sequence[Document], user: UserId) -> Sequence[int]:
        """Return how many messages a member has not read in each room that the user has not muted.

        ``entries`` are the rooms' last entries: their ``room`` and ``seq``.
        """
        markers = await self._markers(entries, [user], {})
        loud = {room_user: marker for room_user, marker in markers.items() if not marker.muted}
        return list((await self._unread(entries, [user], loud)).values())

    def member(self, room: RoomId, user: UserId) -> Membership | None:
        """Return the membership of a user who is a member, not only invited or banned."""
        member = self.memberships.get((room, user))
        return member if member and member.state == "member" else None

    async def _members_since(self, entries: Sequence[Document]) -> MembersSince:
        summaries = [read_summary(entry) for entry in entries]
        ids = [summary.last_membership_change for summary in summaries if summary.members_count <= MEMBERS_LISTED]
        if not ids:
            return {}
        (listing,) = await self.session.fetch(queries.by_id(ids))
        return {entry["room"]: read_members(entry) for entry in complete(listing, len(ids))}

    async def _markers(
        self, entries: Sequence[Document], users: Sequence[UserId], members: MembersSince
    ) -> Mapping[RoomUser, Marker]:
        """Return the markers of the listed members, and of the members among ``users``."""
        since = {(room, user): seq for room, listed in members.items() for user, seq in listed.items()}
        for entry in entries:
            for user in users:
                if member := self.member(entry["room"], user):
                    since[entry["room"], user] = member.since
        if not since:
            return {}
        (documents,) = await self.session.fetch(queries.markers([marker_id(*room_user) for room_user in since]))
        by_id = {document["_id"]: document for document in documents}
        return {room_user: read_marker(by_id.get(marker_id(*room_user)), seq) for room_user, seq in since.items()}

    async def _unread(
        self, entries: Sequence[Document], users: Sequence[UserId], markers: Mapping[RoomUser, Marker]
    ) -> Mapping[RoomUser, int]:
        wanted = [
            queries.unread(entry["room"], user, marker.counted_from, entry["seq"], self.erasures.get(entry["room"], ()))
            for entry in entries
            for user in users
            if (marker := markers.get((entry["room"], user))) and marker.counted_from < entry["seq"]
        ]
        results = await self.session.fetch(*wanted)
        return {(count["room"], count["user"]): count["n"] for documents in results for count in documents}

    def _view(
        self,
        entry: Document,
        user: UserId,
        members: MembersSince,
        markers: Mapping[RoomUser, Marker],
        unread: Mapping[RoomUser, int],
    ) -> RoomView:
        room, summary = entry["room"], read_summary(entry)
        is_member = self.member(room, user) is not None
        listed = members.get(room)
        return RoomView(
            room=room,
            kind=summary.kind,
            title=summary.title,
            head=entry["seq"],
            members_count=summary.members_count,
            last=read_entry(entry),
            member=self.memberships.get((room, user)),
            marker=markers.get((room, user)) if is_member else None,
            unread=unread.get((room, user), 0) if is_member else 0,
            markers=None if listed is None else {member: markers[room, member] for member in listed},
        )
