"""The logs as they stand in the store at the end, and what every room was at every seq."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field

from ...domain.decider import Facts, evolve
from ...domain.entries import Entry, Joined
from ...domain.state import RoomState
from ...ids import Key, RoomId, Seq, UserId
from ...ports.store import Store
from .attempts import Attempt
from .climate import NOBODY
from .messages import Messages

EVERYTHING = 1_000_000


@define(eq=False)
class Log:
    """One room: entry n, as it was written, at ``entries[n - 1]``, the state after it at ``states[n]``.

    ``stored`` is what the store holds of it, where deletions have erased texts.
    """

    room: RoomId
    entries: Sequence[Entry] = ()
    stored: Sequence[Entry] = ()
    states: list[RoomState] = field(init=False)
    by_key: dict[tuple[UserId, Key], Entry] = field(init=False)
    messages: Messages = field(init=False)
    joins: dict[UserId, list[Seq]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.states = [RoomState(room=self.room)]
        for entry in self.entries:
            self.states.append(evolve(self.states[-1], entry))
        self.by_key = {(entry.author, entry.key): entry for entry in self.entries}
        self.messages = Messages(self.entries)
        self.joins = {}
        for entry in self.entries:
            if isinstance(entry.event, Joined):
                self.joins.setdefault(entry.event.user, []).append(entry.seq)

    @property
    def head(self) -> Seq:
        return len(self.entries)

    def during(self, attempt: Attempt) -> Iterator[RoomState]:
        """What the room may have been while a node had the command."""
        low = min(attempt.low.get(self.room, 0), self.head)
        high = min(attempt.high.get(self.room, 0), self.head)
        return iter(self.states[low : max(low, high) + 1])

    def is_member(self, user: UserId, state: RoomState) -> bool:
        return state.member(user) is not None

    def joined(self, user: UserId, head: Seq) -> Seq:
        """Where the user's last joining stands, as of ``head``; 0 where they never joined."""
        return max((seq for seq in self.joins.get(user, ()) if seq <= head), default=0)

    def facts(self, state: RoomState, user: UserId, target: Seq | None, wanted: Sequence[UserId]) -> Facts:
        """What a command of ``user`` about ``target`` that names ``wanted`` would have been decided on."""
        entry = self.messages.present(target, state.head, user) if target and target <= state.head else None
        return Facts(target=entry, unknown_users=frozenset(wanted) & {NOBODY})


class Logs:
    """All rooms of a store."""

    def __init__(self, logs: Sequence[Log]) -> None:
        self._logs = {log.room: log for log in logs}

    def __getitem__(self, room: RoomId) -> Log:
        """The log of a room; an unborn one is empty."""
        return self._logs.get(room) or Log(room)

    def __iter__(self) -> Iterator[Log]:
        return iter(self._logs.values())

    @classmethod
    async def read(cls, store: Store, written: Mapping[RoomId, Mapping[Seq, Entry]]) -> "Logs":
        """What the store holds, found by its changes; ``written`` has what was appended, before any deletion."""
        rooms: dict[RoomId, None] = {}
        after = 0
        while changes := (await store.changes(after, 1000)).changes:
            rooms.update((change.room, None) for change in changes)
            after = changes[-1].position
        logs: list[Log] = []
        for room in rooms:
            stored = (await store.read_on(room, 0, EVERYTHING)).entries
            originals = written.get(room, {})
            entries = [originals.get(entry.seq, entry) for entry in stored]
            logs.append(Log(room, entries, stored))
        return cls(logs)
