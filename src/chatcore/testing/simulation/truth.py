"""What is known to stand in the store, as the appends come to an end, and what may stand there."""

from collections.abc import Sequence

from attrs import define, field

from ...domain.decider import evolve
from ...domain.entries import Deleted, Edited, Entry, Message
from ...domain.state import RoomState
from ...ids import Key, RoomId, Seq, UserId
from .owners import Owner


@define(eq=False)
class Truth:
    """Everything as it was written: a deletion erases nothing here."""

    entries: dict[RoomId, dict[Seq, Entry]] = field(factory=dict)
    heads: dict[RoomId, Seq] = field(factory=dict)
    """No room's head is below."""
    landed_at: dict[tuple[RoomId, Seq], float] = field(factory=dict)
    """When each entry was durable."""
    tried: dict[RoomId, Seq] = field(factory=dict)
    """No room's head is above."""
    states: dict[RoomId, RoomState] = field(factory=dict)
    versions: dict[RoomId, dict[Seq, int]] = field(factory=dict)
    """The messages of each room that have not been deleted, and the version of each."""
    members: dict[RoomId, dict[UserId, None]] = field(factory=dict)
    unsure: dict[tuple[Owner, UserId, Key], list[tuple[float, Seq]]] = field(factory=dict)
    """When a node was left without the outcome of its append of a key, and at which seq."""

    def begins(self, entries: Sequence[Entry]) -> None:
        room, seq = entries[-1].room, entries[-1].seq
        self.tried[room] = max(seq, self.tried.get(room, 0))

    def lands(self, entries: Sequence[Entry], now: float) -> None:
        for entry in entries:
            self.landed_at[entry.room, entry.seq] = now
            self.entries.setdefault(entry.room, {})[entry.seq] = entry
            self.heads[entry.room] = max(entry.seq, self.heads.get(entry.room, 0))
            self.members.setdefault(entry.room, {}).update(dict.fromkeys(entry.affects))
        if entries:
            self._fold(entries[0].room)

    def _fold(self, room: RoomId) -> None:
        """Appends may come to an end in another order than that in which they were carried out."""
        state, log = self.states.get(room) or RoomState(room=room), self.entries[room]
        while entry := log.get(state.head + 1):
            state = evolve(state, entry)
            self._note_version(entry)
        self.states[room] = state

    def _note_version(self, entry: Entry) -> None:
        versions = self.versions.setdefault(entry.room, {})
        match entry.event:
            case Message():
                versions[entry.seq] = 1
            case Edited(target=target, version=version):
                versions[target] = version
            case Deleted(target=target):
                versions.pop(target, None)
            case _:
                pass

    def rooms_of(self, user: UserId) -> list[RoomId]:
        """The rooms to which the user belongs, or has belonged."""
        return [room for room, members in self.members.items() if user in members]
