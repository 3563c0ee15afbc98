"""Rooms as their members see them in lists, as of heads that were read before."""

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from chatcore.domain.state import Marker, Member, RoomView
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import (
    MEMBERS_LISTED,
    Became,
    Document,
    marker_id,
    read_became,
    read_entry,
    read_marker,
    read_members,
)
from .reading import Gone, Reading, whole
from .standing import Standings


@frozen
class Head:
    """A room's last entry, and what the room has become with it."""

    document: Document
    became: Became = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "became", read_became(self.document))

    @property
    def room(self) -> RoomId:
        room: RoomId = self.document["room"]
        return room

    @property
    def seq(self) -> Seq:
        seq: Seq = self.document["seq"]
        return seq


Place = tuple[RoomId, UserId]
Members = Mapping[RoomId, Mapping[UserId, Seq]]
"""Of each room that is not too large, since when each of its members is one."""


@frozen
class Viewer:
    """Makes views of rooms whose heads and standings are known."""

    reading: Reading
    gone: Gone
    standings: Standings

    async def views(self, heads: Sequence[Head], users: Sequence[UserId]) -> Mapping[Place, RoomView]:
        """Each of the rooms as each of the users sees it."""
        members = await self._members(heads)
        markers = await self._markers(heads, users, members)
        unread = await self._unread(heads, users, markers)
        return {(head.room, user): self._view(head, user, members, markers, unread) for head in heads for user in users}

    def member(self, room: RoomId, user: UserId) -> Member | None:
        """The standing of a user who is a member."""
        found = self.standings.get((room, user))
        return found if found and found.standing == "member" else None

    async def _members(self, heads: Sequence[Head]) -> Members:
        small = [head.became.shaped for head in heads if head.became.count <= MEMBERS_LISTED]
        if not small:
            return {}
        (found,) = await self.reading.ask(queries.by_id(small))
        return {one["room"]: read_members(one) for one in whole(found, len(small))}

    async def _markers(
        self, heads: Sequence[Head], users: Sequence[UserId], members: Members
    ) -> Mapping[Place, Marker]:
        since = {(room, user): seq for room, its in members.items() for user, seq in its.items()}
        for head in heads:
            for user in users:
                if member := self.member(head.room, user):
                    since[head.room, user] = member.since
        if not since:
            return {}
        (found,) = await self.reading.ask(queries.markers([marker_id(*place) for place in since]))
        kept = {one["_id"]: one for one in found}
        return {place: read_marker(kept.get(marker_id(*place)), seq) for place, seq in since.items()}

    async def _unread(
        self, heads: Sequence[Head], users: Sequence[UserId], markers: Mapping[Place, Marker]
    ) -> Mapping[Place, int]:
        asked = [
            queries.unread(head.room, user, marker.counted_from, head.seq, self.gone.get(head.room, ()))
            for head in heads
            for user in users
            if (marker := markers.get((head.room, user))) and marker.counted_from < head.seq
        ]
        found = await self.reading.ask(*asked)
        return {(one["room"], one["user"]): one["n"] for documents in found for one in documents}

    def _view(
        self,
        head: Head,
        user: UserId,
        members: Members,
        markers: Mapping[Place, Marker],
        unread: Mapping[Place, int],
    ) -> RoomView:
        room, became = head.room, head.became
        its_members = members.get(room)
        return RoomView(
            room=room,
            kind=became.kind,
            title=became.title,
            head=head.seq,
            members_count=became.count,
            last=read_entry(head.document),
            member=self.standings.get((room, user)),
            marker=markers.get((room, user)) if self.member(room, user) else None,
            unread=unread.get((room, user), 0) if self.member(room, user) else 0,
            markers=None if its_members is None else {one: markers[room, one] for one in its_members},
        )


async def heads_of(reading: Reading, found: Sequence[Document]) -> Sequence[Head]:
    """The last entries that `queries.heads` has found, in its order."""
    if not found:
        return []
    identities = [one["entry"] for one in found]
    (entries,) = await reading.ask(queries.by_id(identities))
    by_identity = {one["_id"]: Head(one) for one in whole(entries, len(identities))}
    return [by_identity[identity] for identity in identities]
