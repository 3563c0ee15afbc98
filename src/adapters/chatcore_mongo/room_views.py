"""Rooms as users see them in lists: last entry, members, markers, and the number of unread messages."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import evolve, frozen
from bson import ObjectId

from chatcore.domain.page_tokens import PageToken
from chatcore.domain.state import UNREAD_MAX, Marker, Membership, RoomView
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_views import Overview, RoomMembership, RoomPage, UnreadTotal

from . import queries
from .documents import (
    MEMBERS_LISTED,
    Document,
    RoomSummary,
    is_listed,
    marker_id,
    page_token,
    read_entry,
    read_marker,
    read_members,
    read_summary,
)
from .memberships import Memberships, listed_rooms, memberships_at
from .queries import Query
from .read_session import PendingErasures, ReadSession, Results, complete, messages_by_room

CHANGES_PER_ROOM = 2
"""So many membership changes of a user are read for each room of a page. Most users have only joined."""

RoomUser: TypeAlias = tuple[RoomId, UserId]
MembersSince: TypeAlias = Mapping[RoomId, Mapping[UserId, Seq]]
"""The members of each room with at most `MEMBERS_LISTED`, each with the seq at which the membership began."""


async def page(session: ReadSession, user: UserId, after: PageToken | None, limit: int) -> RoomPage:
    """Return a page of a user's rooms, as `RoomViews.page` says."""
    read, _ = await overview(session, user, after, limit)
    return read.page


async def overview(
    session: ReadSession, user: UserId, after: PageToken | None, limit: int
) -> tuple[Overview, Mapping[str, Document]]:
    """Return all memberships of a user and a page of the rooms, as `RoomViews.overview` and `RoomViews.page` say.

    Returns the documents of the page's markers too, by ``_id``.
    """
    (changes,) = await session.fetch(queries.own_changes(user, CHANGES_PER_ROOM * limit))
    rooms, is_cut = {change["room"] for change in changes}, len(changes) == CHANGES_PER_ROOM * limit
    if len(rooms) <= limit and not is_cut:
        return await _overview_of_few(session, user, after, limit, changes)
    heads, memberships = await listed_rooms(session, user, None if is_cut else list(rooms))
    shown, token = _shown(heads, after, limit)
    ids = {head["_id"]: head["entry"] for head in shown}
    builder = await read_parts(session, queries.room_parts_at(ids, [user]), list(ids), [user])
    complete(list(builder.entries.values()), len(ids))
    builder = evolve(builder, memberships=memberships)
    entries = [builder.entries[head["_id"]] for head in shown]
    views, _ = await builder.build(session, entries, [user])
    return _overview(user, heads, memberships, [views[head["_id"], user] for head in shown], token), builder.markers


async def _overview_of_few(
    session: ReadSession, user: UserId, after: PageToken | None, limit: int, own_changes: Sequence[Document]
) -> tuple[Overview, Mapping[str, Document]]:
    """Return the `overview` of a user with at most ``limit`` rooms.

    In most rooms the user's own last change is the last of all: its entry lists the members. Only of the others are
    the members read, together with the user's memberships, which may have changed since they were read first.

    Args:
        own_changes: documents of `queries.own_changes`, all that there are.
    """
    last_own = {change["room"]: change for change in sorted(own_changes, key=lambda change: change["seq"])}
    ids = {
        marker_id(room, member)
        for room, change in last_own.items()
        for member in (user, *(row["user"] for row in change.get("members", ())))
    }
    # After the heads: an erasure of a deletion up to a head is pending still, or has ended before the next query.
    last, deletions, markers = await session.fetch(
        queries.last_entries(list(last_own)), queries.pending_erasures(list(last_own)), queries.markers(list(ids))
    )
    entries = {entry["room"]: entry for entry in last}
    seqs = {room: entry["seq"] for room, entry in entries.items()}
    memberships = memberships_at(own_changes, seqs)
    changed = {
        room: entry["_id"] for room, entry in entries.items() if entry["became"]["shaped"] != last_own[room]["_id"]
    }
    builder = RoomViewBuilder(
        entries=entries,
        listings={change["_id"]: change for change in last_own.values() if "members" in change},
        markers={marker["_id"]: marker for marker in markers},
        erasures=messages_by_room(deletions),
        memberships=memberships,
    )
    heads: Sequence[Document] = [
        {"_id": room, "seq": entry["seq"], "at": entry["at"]}
        for room, entry in entries.items()
        if is_listed(memberships.get((room, user)))
    ]
    shown, token = _shown(heads, after, limit)
    shown_entries = [entries[head["_id"]] for head in shown]
    unread = builder.unread(shown_entries, [user])
    *results, changes = await session.fetch(
        *unread.queries,
        *queries.room_parts_at(changed, [user]),
        queries.membership_changes([user], list(changed)) if changed else None,
    )
    if memberships_at(changes, seqs) != {key: member for key, member in memberships.items() if key[0] in changed}:
        return await overview(session, user, after, limit)
    counts = unread.counts(results[: len(unread.queries)])
    builder = builder.with_parts([document for documents in results[len(unread.queries) :] for document in documents])
    views = builder.views(shown_entries, [user], counts)
    return _overview(user, heads, memberships, [views[head["_id"], user] for head in shown], token), builder.markers


def _overview(
    user: UserId,
    heads: Sequence[Document],
    memberships: Memberships,
    views: Sequence[RoomView],
    token: str | None,
) -> Overview:
    return Overview(
        memberships=[
            RoomMembership(room=head["_id"], head=head["seq"], member=memberships[head["_id"], user]) for head in heads
        ],
        page=RoomPage(rooms=views, next=token),
    )


def _shown(heads: Sequence[Document], after: PageToken | None, limit: int) -> tuple[Sequence[Document], str | None]:
    """Return the rooms of a page, newest first, and the token of the next page."""
    places = {head["_id"]: page_token(head["_id"], head["at"]) for head in heads}
    below = [head for head in heads if after is None or places[head["_id"]] < after]
    below.sort(key=lambda head: (head["at"], places[head["_id"]].number), reverse=True)
    shown = below[:limit]
    return shown, places[shown[-1]["_id"]].encoded() if len(below) > limit else None


async def unread_total(session: ReadSession, user: UserId) -> UnreadTotal:
    """Return how much a user has not read, as `RoomViews.unread_total` says."""
    heads, memberships = await listed_rooms(session, user)
    since = {
        (head["_id"], user): member.since
        for head in heads
        if (member := memberships[head["_id"], user]).state == "member"
    }
    if not since:
        return UnreadTotal(rooms=0, messages=0)
    deletions, documents = await session.fetch(
        queries.pending_erasures([room for room, _ in since]),
        queries.markers([marker_id(*room_user) for room_user in since]),
    )
    markers = _read_markers(since, {document["_id"]: document for document in documents})
    loud = {room_user: marker for room_user, marker in markers.items() if not marker.muted}
    seqs = {head["_id"]: head["seq"] for head in heads}
    unread = Unread(seqs, [user], loud, messages_by_room(deletions))
    counts = unread.counts(await session.fetch(*unread.queries)).values()
    return UnreadTotal(rooms=sum(count > 0 for count in counts), messages=sum(counts))


async def views(session: ReadSession, room: RoomId, users: Sequence[UserId]) -> Mapping[UserId, RoomView]:
    """Return a room as each of ``users`` sees it, as `RoomViews.views` says."""
    if not users:
        return {}
    builder = await read_parts(session, queries.room_parts([room], users), [room], users)
    built, _ = await builder.build(session, list(builder.entries.values()), users)
    return {user: view for (_, user), view in built.items()}


async def read_parts(
    session: ReadSession, parts: Sequence[Query], rooms: Sequence[RoomId], users: Sequence[UserId]
) -> "RoomViewBuilder":
    """Return what ``parts``, queries of `queries.room_parts`, find, with the memberships of ``users`` in the rooms."""
    # After the heads: an erasure of a deletion up to a head is pending still, or has ended before the next query.
    *found, deletions, changes = await session.fetch(
        *parts,
        queries.pending_erasures(rooms) if rooms else None,
        queries.membership_changes(users, rooms) if rooms else None,
    )
    documents = [document for documents in found for document in documents]
    entries = {entry["room"]: entry for document in documents for entry in document["entries"]}
    return RoomViewBuilder(
        entries=entries,
        listings={listing["_id"]: listing for document in documents for listing in document["listings"]},
        markers={marker["_id"]: marker for document in documents for marker in document["markers"]},
        erasures=messages_by_room(deletions),
        memberships=memberships_at(changes, {room: entry["seq"] for room, entry in entries.items()}),
    )


@frozen
class RoomViewBuilder:
    """Builds the views of rooms.

    Attributes:
        entries: the last entry of each room.
        listings: by ``_id``, the entries that list the members of these rooms.
        markers: by ``_id``, the markers of the listed members, and of the users who view.
        erasures: the pending erasures of these rooms.
        memberships: the memberships of the users who view, as of the rooms' heads.
    """

    entries: Mapping[RoomId, Document]
    listings: Mapping[ObjectId, Document]
    markers: Mapping[str, Document]
    erasures: PendingErasures
    memberships: Memberships

    async def build(
        self, session: ReadSession, entries: Sequence[Document], users: Sequence[UserId], further: Query | None = None
    ) -> tuple[Mapping[RoomUser, RoomView], Sequence[Document]]:
        """Return each room as each user sees it, and the documents of ``further``, which is queried with the counts.

        Args:
            session: reads the numbers of unread messages.
            entries: the last entries of the rooms that are viewed.
            users: the users who view, whether or not they are members.
            further: a query that needs the rooms' heads.
        """
        unread = self.unread(entries, users)
        *results, documents = await session.fetch(*unread.queries, further)
        return self.views(entries, users, unread.counts(results)), documents

    def with_parts(self, documents: Sequence[Document]) -> "RoomViewBuilder":
        """Return a builder with the listings, and the markers it lacks, of documents of `queries.room_parts`."""
        listings = {listing["_id"]: listing for document in documents for listing in document["listings"]}
        markers = {marker["_id"]: marker for document in documents for marker in document["markers"]}
        return evolve(self, listings={**self.listings, **listings}, markers={**markers, **self.markers})

    def unread(self, entries: Sequence[Document], users: Sequence[UserId]) -> "Unread":
        """Return the queries of the numbers of unread messages. They need no listing of members."""
        seqs = {entry["room"]: entry["seq"] for entry in entries}
        return Unread(seqs, users, self._markers(entries, users, {}), self.erasures)

    def views(
        self, entries: Sequence[Document], users: Sequence[UserId], unread: Mapping[RoomUser, int]
    ) -> Mapping[RoomUser, RoomView]:
        """Return each room as each user sees it, with these numbers of unread messages."""
        summaries = [read_summary(entry) for entry in entries]
        members = self._members_since(summaries)
        markers = self._markers(entries, users, members)
        return {
            (entry["room"], user): self._view(entry, summary, user, members, markers, unread)
            for entry, summary in zip(entries, summaries, strict=True)
            for user in users
        }

    def member(self, room: RoomId, user: UserId) -> Membership | None:
        """Return the membership of a user who is a member, not only invited or banned."""
        member = self.memberships.get((room, user))
        return member if member and member.state == "member" else None

    def _members_since(self, summaries: Sequence[RoomSummary]) -> MembersSince:
        ids = [summary.last_membership_change for summary in summaries if summary.members_count <= MEMBERS_LISTED]
        listings = [self.listings[identity] for identity in ids if identity in self.listings]
        return {listing["room"]: read_members(listing) for listing in complete(listings, len(ids))}

    def _markers(
        self, entries: Sequence[Document], users: Sequence[UserId], members: MembersSince
    ) -> Mapping[RoomUser, Marker]:
        """Return the markers of the listed members, and of the members among ``users``."""
        since = {(room, user): seq for room, listed in members.items() for user, seq in listed.items()}
        for entry in entries:
            for user in users:
                if member := self.member(entry["room"], user):
                    since[entry["room"], user] = member.since
        return _read_markers(since, self.markers)

    def _view(
        self,
        entry: Document,
        summary: RoomSummary,
        user: UserId,
        members: MembersSince,
        markers: Mapping[RoomUser, Marker],
        unread: Mapping[RoomUser, int],
    ) -> RoomView:
        room = entry["room"]
        member = self.memberships.get((room, user))
        is_member = member is not None and member.state == "member"
        listed = members.get(room)
        return RoomView(
            room=room,
            kind=summary.kind,
            title=summary.title,
            head=entry["seq"],
            members_count=summary.members_count,
            last=read_entry(entry),
            member=member,
            marker=markers.get((room, user)) if is_member else None,
            unread=unread.get((room, user), 0) if is_member else 0,
            markers=None if listed is None else {member: markers[room, member] for member in listed},
        )


def _read_markers(since: Mapping[RoomUser, Seq], documents: Mapping[str, Document]) -> Mapping[RoomUser, Marker]:
    return {room_user: read_marker(documents.get(marker_id(*room_user)), seq) for room_user, seq in since.items()}


class Unread:
    """The numbers of unread messages of users in rooms.

    A room with at most `UNREAD_MAX` entries above the marker is counted together with others with about the same seqs:
    one query for all of them costs the server as much as one for a single room. The others have a query each.

    Args:
        heads: the heads of the rooms.
        users: the users.
        markers: the users' markers; a user without a marker in a room is left out.
        erasures: the pending erasures of the rooms.

    Attributes:
        queries: the queries that find the numbers.
    """

    def __init__(
        self,
        heads: Mapping[RoomId, Seq],
        users: Sequence[UserId],
        markers: Mapping[RoomUser, Marker],
        erasures: PendingErasures,
    ) -> None:
        self.queries: list[Query] = []
        self._heads = heads
        self._read: dict[RoomUser, Seq] = {}
        self._erasures = erasures
        self._users: list[UserId | None] = []
        for user in users:
            behind = {
                room: marker.counted_from
                for room, head in heads.items()
                if (marker := markers.get((room, user))) and marker.counted_from < head
            }
            self._count_together(user, {room: read for room, read in behind.items() if self._is_near(room, read)})
            for room, read in behind.items():
                if not self._is_near(room, read):
                    self.queries.append(queries.unread(room, user, read, heads[room], erasures.get(room, ())))
                    self._users.append(None)

    def counts(self, results: Results) -> Mapping[RoomUser, int]:
        """Return the numbers above 0, from the documents of `queries`."""
        counts: dict[RoomUser, int] = {}
        for user, documents in zip(self._users, results, strict=True):
            for document in documents:
                if user is None:
                    counts[document["room"], document["user"]] = document["n"]
                else:
                    room = document["_id"]
                    counts[room, user] = self._count(room, self._read[room, user], document["seqs"])
        return counts

    def _is_near(self, room: RoomId, read: Seq) -> bool:
        return self._heads[room] - read <= UNREAD_MAX

    def _count_together(self, user: UserId, behind: Mapping[RoomId, Seq]) -> None:
        group: list[RoomId] = []
        for room in sorted(behind, key=lambda room: behind[room]):
            if group and behind[room] - behind[group[0]] > UNREAD_MAX:
                self._add_group(user, group, behind)
                group = []
            group.append(room)
            self._read[room, user] = behind[room]
        if group:
            self._add_group(user, group, behind)

    def _add_group(self, user: UserId, rooms: Sequence[RoomId], behind: Mapping[RoomId, Seq]) -> None:
        upto = max(self._heads[room] for room in rooms)
        self.queries.append(queries.unread_between(user, rooms, behind[rooms[0]], upto))
        self._users.append(user)

    def _count(self, room: RoomId, read: Seq, seqs: Sequence[Seq]) -> int:
        erased = self._erasures.get(room, ())
        return sum(read < seq <= self._heads[room] and seq not in erased for seq in seqs)
