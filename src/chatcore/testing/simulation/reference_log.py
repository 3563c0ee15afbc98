"""The reference for the checks: appended entries, marked positions, and the state of each room at each seq."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from attrs import define, evolve, field

from ...domain.blocks import BlockedPair
from ...domain.decider import Facts
from ...domain.decider import evolve as evolve_state
from ...domain.entries import Deleted, Edited, Entry, Joined, Message, Reacted, Reaction
from ...domain.redaction import redacted
from ...domain.state import RoomState
from ...ids import Key, RoomId, Seq, UserId
from ...ports.store import Store
from ...protocol import Object
from .processes import Process
from .profile import UNKNOWN_USER

POSITIONS = ("read", "delivered")
READ_ALL = 1_000_000


@define(eq=False)
class ReferenceLog:
    """The entries that appends have written so far. They stay as they were written: deletions redact nothing here."""

    entries: dict[RoomId, dict[Seq, Entry]] = field(factory=dict)
    heads_min: dict[RoomId, Seq] = field(factory=dict)
    """The head that each room has at least."""
    heads_max: dict[RoomId, Seq] = field(factory=dict)
    """The head that each room has at most, if every append that was started took effect."""
    written_at: dict[tuple[RoomId, Seq], float] = field(factory=dict)
    """When each entry became durable."""
    states: dict[RoomId, RoomState] = field(factory=dict)
    versions: dict[RoomId, dict[Seq, int]] = field(factory=dict)
    """The version of each message that is not deleted, by room and seq."""
    affected_users: dict[RoomId, dict[UserId, None]] = field(factory=dict)
    """The users that the entries of each room affect, in order."""
    unknown_outcomes: dict[tuple[Process, UserId, Key], list[tuple[float, Seq]]] = field(factory=dict)
    """The failed appends of a key by a process: when each failed, and the seq that it was for."""

    def append_started(self, entries: Sequence[Entry]) -> None:
        room, seq = entries[-1].room, entries[-1].seq
        self.heads_max[room] = max(seq, self.heads_max.get(room, 0))

    def append_failed(self, process: Process, entries: Sequence[Entry], now: float) -> None:
        for entry in entries:
            self.unknown_outcomes.setdefault((process, entry.author, entry.key), []).append((now, entry.seq))

    def written(self, entries: Sequence[Entry], now: float) -> None:
        for entry in entries:
            self.written_at[entry.room, entry.seq] = now
            self.entries.setdefault(entry.room, {})[entry.seq] = entry
            self.heads_min[entry.room] = max(entry.seq, self.heads_min.get(entry.room, 0))
            self.affected_users.setdefault(entry.room, {}).update(dict.fromkeys(entry.affects))
        if entries:
            self._advance_state(entries[0].room)

    def _advance_state(self, room: RoomId) -> None:
        """Evolve the state up to the first gap. Appends may complete in another order than they took effect."""
        state, log = self.states.get(room) or RoomState(room=room), self.entries[room]
        while entry := log.get(state.head + 1):
            state = evolve_state(state, entry)
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
        """Return the rooms that the user belongs to, or belonged to."""
        return [room for room, users in self.affected_users.items() if user in users]


@define(eq=False)
class MarkerBounds:
    """The lowest and highest positions that a user's markers can have, by user and room."""

    lowest: dict[UserId, dict[RoomId, Mapping[str, Seq]]] = field(factory=dict)
    """Positions that an answer has shown. No later answer may show lower ones."""
    highest: dict[UserId, dict[RoomId, Mapping[str, Seq]]] = field(factory=dict)
    """Positions that a `mark` has asked for. Only joining a room sets higher ones."""
    unread_from: dict[tuple[UserId, RoomId], set[Seq]] = field(factory=dict)
    """Every value of ``unread_from`` that a `mark` has given."""

    def command_started(self, user: UserId, name: str, data: object) -> None:
        """Note the positions of a `mark`: it may take effect from now on."""
        match name, data:
            case "mark", {"room": str(room), **fields}:
                read = _seq(fields, "read")
                _raise_bounds(self.highest, user, room, read, max(read, _seq(fields, "delivered")))
                self.unread_from.setdefault((user, room), set()).add(_seq(fields, "unread_from"))
            case _:
                pass

    def command_answered(self, user: UserId, name: str, data: object, answer: Object) -> None:
        """Note the positions that an answer shows."""
        for room, marker in _markers_in(name, data, answer):
            _raise_bounds(self.lowest, user, room, marker["read"], marker["delivered"])


def _markers_in(name: str, data: object, answer: Object) -> Iterator[tuple[RoomId, Object]]:
    """Yield each room for which the answer shows the user's own marker, with the object that holds it."""
    match name, data:
        case "mark", {"room": str(room)}:
            markers = [(room, answer)]
        case "sync", _:
            markers = [(room, synced["me"]) for room, synced in answer["rooms"].items() if "me" in synced]
        case "rooms" | "rooms.public", _:
            markers = [(room["room"], room.get("me", {})) for room in answer["rooms"]]
        case "room.get", _:
            markers = [(answer["room"], answer.get("me", {}))]
        case _:
            markers = []
    return ((room, marker) for room, marker in markers if "read" in marker)


def _raise_bounds(
    bounds: dict[UserId, dict[RoomId, Mapping[str, Seq]]], user: UserId, room: RoomId, read: Seq, delivered: Seq
) -> None:
    rooms = bounds.setdefault(user, {})
    before = rooms.get(room, {})
    rooms[room] = {"read": max(before.get("read", 0), read), "delivered": max(before.get("delivered", 0), delivered)}


def _seq(data: Mapping[Any, object], name: str) -> Seq:
    value = data.get(name)
    return value if isinstance(value, int) else 0


@define(eq=False)
class _BlockChange:
    """A `block` (``on``) or an `unblock`: it takes effect between its start and its end, if it does."""

    on: bool
    process: Process
    started_at: float
    number: float
    """Its start among the starts and ends of all changes: much happens at the same virtual time."""
    ended_at: float = inf
    ended_number: float = inf
    succeeded: bool = False


@define(eq=False)
class BlockTimes:
    """When users may have had others blocked, and when they certainly had."""

    _changes: dict[BlockedPair, list[_BlockChange]] = field(factory=dict)
    _number: int = 0

    def started(self, pair: BlockedPair, process: Process, now: float, *, on: bool) -> None:
        self._number += 1
        self._changes.setdefault(pair, []).append(_BlockChange(on, process, now, self._number))

    def ended(self, pair: BlockedPair, process: Process, started_at: float, now: float, *, succeeded: bool) -> None:
        """Note the end of a change. A change that failed may have taken effect before its end."""
        for change in self._changes.get(pair, ()):
            if (change.process, change.started_at, change.ended_at) == (process, started_at, inf):
                self._number += 1
                change.ended_at, change.ended_number, change.succeeded = now, self._number, succeeded
                return

    def may_be(self, pair: BlockedPair, low: float, high: float, *, on: bool) -> bool:
        """Return whether the block may have been ``on``, or off, at some moment from ``low`` to ``high``."""
        changes = self._changes.get(pair, ())
        candidates = [(change.started_at, change.ended_number) for change in changes if change.on == on]
        if not on:
            candidates.append((-inf, -inf))
        undone = [change for change in changes if change.on != on and change.succeeded]
        return any(
            not any(ended < other.number and other.ended_at < max(low, started_at) for other in undone)
            for started_at, ended in candidates
            if started_at <= high
        )

    def made_by(self, pair: BlockedPair, process: Process, before: float) -> bool:
        """Return whether ``process`` carried out the last successful `block` before a moment."""
        made = [change for change in self._changes.get(pair, ()) if change.on and change.succeeded]
        made = [change for change in made if change.ended_at <= before]
        return bool(made) and max(made, key=lambda change: change.ended_at).process is process

    def pairs(self) -> Sequence[BlockedPair]:
        """Return the pairs that a command named."""
        return list(self._changes)


@define(eq=False)
class SocketTimes:
    """When a socket of a user was open: it began to connect, its node pushed `ready`, and its node left it."""

    user: UserId
    process: Process
    began_at: float
    ready_at: float = inf
    left_at: float = inf


class ReferenceMessages:
    """The messages of one log at each of its heads, computed without the library's own projection.

    Args:
        entries: The log as it was written; seq n is at index n - 1.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._changes: dict[Seq, list[Entry]] = defaultdict(list)
        self._deletions: dict[Seq, Seq] = {}
        for entry in entries:
            match entry.event:
                case Edited(target=target) | Reacted(target=target):
                    self._changes[target].append(entry)
                case Deleted(target=target):
                    self._deletions[target] = entry.seq
                case _:
                    pass

    def redacted_at(self, seq: Seq) -> Seq | None:
        """Return the seq of the deletion that erases the text and the digest of the entry at ``seq``, if any does."""
        event = self._entries[seq - 1].event
        return self._deletions.get(event.target if isinstance(event, Edited) else seq)

    def stored(self, seq: Seq, head: Seq) -> Entry:
        """Return the entry at ``seq`` as the log holds it at ``head``."""
        entry, redacted_at = self._entries[seq - 1], self.redacted_at(seq)
        return entry if redacted_at is None or redacted_at > head else redacted(entry)

    def presented(self, seq: Seq, head: Seq, user: UserId) -> Entry:
        """Return the entry at ``seq`` as ``user`` reads it at ``head``: a message in its present state."""
        entry = self.stored(seq, head)
        if not isinstance(entry.event, Message):
            return entry
        changes = [change for change in self._changes.get(seq, ()) if change.seq <= head]
        message = _edited(entry.event, changes)
        if not message.deleted:
            message = evolve(message, reactions=_reactions(changes, user))
        return evolve(entry, event=message)


def _edited(message: Message, changes: Sequence[Entry]) -> Message:
    for change in changes:
        if isinstance(change.event, Edited):
            version, body = change.event.version, change.event.body or ""
            edited = evolve(message, version=version, body=body, edited_at=change.at)
            message = evolve(message, version=version) if message.deleted else edited
    return message


def _reactions(changes: Sequence[Entry], user: UserId) -> Mapping[str, Reaction]:
    users_by_emoji: dict[str, list[UserId]] = {}
    for change in changes:
        if isinstance(change.event, Reacted):
            users = users_by_emoji.setdefault(change.event.emoji, [])
            if change.event.on:
                users.append(change.author)
            else:
                users.remove(change.author)
            if not users:
                del users_by_emoji[change.event.emoji]
    return {
        emoji: Reaction(count=len(users), users=users, mine=user in users) for emoji, users in users_by_emoji.items()
    }


@define(eq=False)
class StoredLog:
    """The log of one room at the end of a run.

    Attributes:
        entries: The entries as they were written; seq n is at index n - 1.
        stored: The same entries as the store holds them, where deletions have erased texts.
        states: The state of the room after seq n is at index n.
    """

    room: RoomId
    entries: Sequence[Entry] = ()
    stored: Sequence[Entry] = ()
    states: list[RoomState] = field(init=False)
    by_key: dict[tuple[UserId, Key], Entry] = field(init=False)
    messages: ReferenceMessages = field(init=False)
    joins: dict[UserId, list[Seq]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.states = [RoomState(room=self.room)]
        for entry in self.entries:
            self.states.append(evolve_state(self.states[-1], entry))
        self.by_key = {(entry.author, entry.key): entry for entry in self.entries}
        self.messages = ReferenceMessages(self.entries)
        self.joins = {}
        for entry in self.entries:
            if isinstance(entry.event, Joined):
                self.joins.setdefault(entry.event.user, []).append(entry.seq)

    @property
    def head(self) -> Seq:
        return len(self.entries)

    def states_between(self, low: Seq, high: Seq) -> Sequence[RoomState]:
        """Return the states from the head ``low`` to the head ``high``, as far as the log goes."""
        low, high = min(low, self.head), min(high, self.head)
        return self.states[low : max(low, high) + 1]

    def joined_at(self, user: UserId, head: Seq) -> Seq:
        """Return the seq at which the user last joined, as of ``head``; 0 if the user never joined."""
        return max((seq for seq in self.joins.get(user, ()) if seq <= head), default=0)

    def facts(
        self,
        state: RoomState,
        user: UserId,
        target: Seq | None,
        named_users: Sequence[UserId],
        blocked_by: frozenset[UserId] = frozenset(),
    ) -> Facts:
        """Return the facts on which a command of ``user`` is decided at ``state``.

        Args:
            target: The message that the command is about, if any.
            named_users: The users that the command needs to exist.
            blocked_by: The users among them that have blocked the author.
        """
        entry = self.messages.presented(target, state.head, user) if target and target <= state.head else None
        return Facts(target=entry, unknown_users=frozenset(named_users) & {UNKNOWN_USER}, blocked_by=blocked_by)


class StoredLogs:
    """All logs of a store at the end of a run."""

    def __init__(self, logs: Sequence[StoredLog]) -> None:
        self._logs = {log.room: log for log in logs}

    def __getitem__(self, room: RoomId) -> StoredLog:
        """Return the log of a room; it is empty if the room does not exist."""
        return self._logs.get(room) or StoredLog(room)

    def __iter__(self) -> Iterator[StoredLog]:
        return iter(self._logs.values())

    @classmethod
    async def read(cls, store: Store, written: Mapping[RoomId, Mapping[Seq, Entry]]) -> "StoredLogs":
        """Read every log that the store's changes name. ``written`` has the entries as they were appended."""
        rooms: dict[RoomId, None] = {}
        after = 0
        while changes := (await store.changes(after, 1000)).changes:
            rooms.update((change.room, None) for change in changes)
            after = changes[-1].position
        logs: list[StoredLog] = []
        for room in rooms:
            stored = (await store.read_on(room, 0, READ_ALL)).entries
            originals = written.get(room, {})
            entries = [originals.get(entry.seq, entry) for entry in stored]
            logs.append(StoredLog(room, entries, stored))
        return cls(logs)
