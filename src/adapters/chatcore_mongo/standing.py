"""Who belongs to which room, and what rooms are: found by ``affects`` in the log."""

from collections.abc import Collection, Mapping, Sequence

from chatcore.domain.memberships import apply_changes
from chatcore.domain.state import Member, RoomState
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import Document, read_affects, read_became, read_roster
from .reading import Reading, only

Standings = Mapping[tuple[RoomId, UserId], Member]

SEQ_MAX = 2**63 - 1
KEPT_FROM = 200
"""A roster is kept anew once so many entries have changed it since."""


def standings_at(found: Sequence[Document], heads: Mapping[RoomId, Seq]) -> Standings:
    """What `queries.standings` has found, as of each room's head; rooms without one are left out."""
    last: dict[tuple[RoomId, UserId], tuple[Seq, Member | None]] = {}
    for document in found:
        room, seq = document["room"], document["seq"]
        if seq > heads.get(room, 0):
            continue
        for user, member in read_affects(document).items():
            if seq > last.get((room, user), (0, None))[0]:
                last[room, user] = seq, member
    return {place: member for place, (_, member) in last.items() if member}


async def members_of(reading: Reading, room: RoomId, users: Collection[UserId], upto: Seq) -> Mapping[UserId, Member]:
    """The standing of these users as of ``upto``."""
    (found,) = await reading.ask(queries.standings(users, [room], upto))
    return {user: member for (_, user), member in standings_at(found, {room: upto}).items()}


class Roster:
    """Everybody's standing in a room as of a seq, and how many entries lie between that and the view that is kept."""

    def __init__(self, kept: Document | None, shapes: Sequence[Document]) -> None:
        self.members = read_roster(kept) if kept else {}
        self.upto: Seq = kept["upto"] if kept else 0
        self.folded = 0
        for shape in shapes:
            if shape["seq"] > self.upto:
                self._take(shape)

    def _take(self, shape: Document) -> None:
        self.upto = shape["seq"]
        self.folded += 1
        apply_changes(self.members, read_affects(shape))

    @property
    def is_to_be_kept(self) -> bool:
        return self.folded >= max(KEPT_FROM, len(self.members) // 10)


async def roster_at(reading: Reading, room: RoomId, upto: Seq) -> Roster:
    """Everybody's standing as of ``upto``."""
    kept, first = await reading.ask(queries.roster(room), queries.shapes(room, 0, upto, KEPT_FROM))
    return await _roster(reading, room, upto, only(kept), first)


async def _roster(
    reading: Reading, room: RoomId, upto: Seq, kept: Document | None, first: Sequence[Document]
) -> Roster:
    """Of what is kept and of the first shapes of a room; most rooms have no more, and none that is kept."""
    usable = kept if kept and kept["upto"] <= upto else None
    if usable is None and len(first) < KEPT_FROM:
        return Roster(None, [shape for shape in first if shape["seq"] <= upto])
    (shapes,) = await reading.ask(queries.shapes(room, usable["upto"] if usable else 0, upto))
    return Roster(usable, shapes)


async def state(reading: Reading, room: RoomId) -> tuple[RoomState, Roster]:
    """A room as of its head."""
    kept, heads, first = await reading.ask(
        queries.roster(room), queries.head(room), queries.shapes(room, 0, SEQ_MAX, KEPT_FROM)
    )
    head = only(heads)
    if head is None:
        return RoomState(room=room), Roster(None, [])
    became = read_became(head)
    roster = await _roster(reading, room, head["seq"], only(kept), first)
    found = RoomState(room=room, head=head["seq"], kind=became.kind, title=became.title, members=roster.members)
    return found, roster
