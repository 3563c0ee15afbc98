"""Who belongs to which room, and what rooms are: found by ``affects`` in the log."""

from collections.abc import Collection, Mapping, Sequence

from chatcore.domain.state import Member, RoomState
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import Document, read_affects, read_became, read_roster
from .reading import Reading, only

Standings = Mapping[tuple[RoomId, UserId], Member]

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
        for user, member in read_affects(shape).items():
            if member:
                self.members[user] = member
            else:
                self.members.pop(user, None)

    @property
    def is_to_be_kept(self) -> bool:
        return self.folded >= max(KEPT_FROM, len(self.members) // 10)


async def roster_at(reading: Reading, room: RoomId, upto: Seq) -> Roster:
    """Everybody's standing as of ``upto``."""
    kept = await reading.ask_one(queries.roster(room))
    if kept and kept["upto"] > upto:
        kept = None
    (shapes,) = await reading.ask(queries.shapes(room, kept["upto"] if kept else 0, upto))
    return Roster(kept, shapes)


async def state(reading: Reading, room: RoomId) -> tuple[RoomState, Roster]:
    """A room as of its head."""
    head = only(*await reading.ask(queries.head(room)))
    if head is None:
        return RoomState(room=room), Roster(None, [])
    became = read_became(head)
    roster = await roster_at(reading, room, head["seq"])
    found = RoomState(room=room, head=head["seq"], kind=became.kind, title=became.title, members=roster.members)
    return found, roster
