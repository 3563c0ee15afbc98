"""A client's rules, pure: what it has of each room, what it asks next, what it sends again after a break.

Objects of the wire go in, effects come out, and whoever holds the line carries them out in their order. Nothing here
does I/O, awaits or looks at a clock. The rules are those of ``docs/protocol.md``, quoted where they are followed:

    replica = Replica("alice")
    replica.connected()                      # [Ask(1, "sync", …), Ask(2, "message.send", …)]
    replica.pushed("entry", {…})             # [Entries("pvt-alice-bob", …)]
    replica.answered(2, {"ok": True, …})     # [Settled(2, …)]

A room's *cursor* is the seq above which the server will tell everything by itself; what the client lacks below it are
the room's *holes*, which are paged from `history`. So a break in the middle of paging costs nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from attrs import define, evolve, field, frozen

from .ids import RoomId, Seq, UserId, private_room_id

Object: TypeAlias = dict[str, Any]
Hole: TypeAlias = tuple[Seq, Seq]

CURSORS_MAX = 500
SYNC_CHARACTERS_MAX = 48_000
PAUSE_MS_MIN, PAUSE_MS_MAX = 100, 5_000


@frozen
class Ask:
    """Send this command, and give its answer to `Replica.answered` with the same number."""

    number: int
    event: str
    data: Object


@frozen
class Entries:
    """Entries that were lacking, ascending; messages among them are in their state as of the seq ``as_of``."""

    room: RoomId
    entries: Sequence[Object]
    as_of: Seq


@frozen
class Shown:
    """What the server says of a room beside its entries: fields of its Room, to be laid over those shown before."""

    room: RoomId
    fields: Object


@frozen
class Forget:
    """Nothing of this room holds any more: the user is no member, or its log begins anew."""

    room: RoomId


@frozen
class Settled:
    """A command of the user's came to an answer; to None when its line broke and it has no key to be repeated with."""

    number: int
    answer: Object | None


@frozen
class Missed:
    """The server passed over these seqs, first and last, of a room. They are paged; it should not have happened."""

    room: RoomId
    first: Seq
    last: Seq


@frozen
class Wait:
    """Something failed for now: call `Replica.retry` once, after so many milliseconds."""

    ms: int


Effect: TypeAlias = Ask | Entries | Shown | Forget | Settled | Missed | Wait
Effects: TypeAlias = list[Effect]


@frozen
class Cursor:
    """How much of a room a client has: everything up to ``seq`` but ``holes``, of the log of that ``epoch``."""

    epoch: str
    seq: Seq
    holes: tuple[Hole, ...] = ()

    def moved(self, seq: Seq, *, lacking: bool) -> "Cursor":
        """The cursor at a later ``seq``; what lies between is a hole where the client is ``lacking`` it."""
        holes = (*self.holes, (self.seq + 1, seq)) if lacking and seq > self.seq else self.holes
        return evolve(self, seq=seq, holes=holes)


@define
class _Command:
    """A command of the user's that has no answer yet. ``place`` is where its order matters, None for nowhere.

    ``failed``: its last answer was a temporary failure, so it waits for `Replica.retry`.
    """

    event: str
    data: Object
    place: RoomId | None
    sent: bool = False
    failed: bool = False

    @property
    def repeatable(self) -> bool:
        return "key" in self.data


@frozen
class _Read:
    """A question of the replica's own. ``take`` gets the answer, ``refused`` is called where there will be none."""

    event: str
    data: Object
    take: Callable[[Object], Effects]
    refused: Callable[[], None]


def _own(kept: Mapping[RoomId, Cursor]) -> dict[RoomId, Cursor]:
    return dict(kept)


@define(eq=False)
class Replica:
    """What one client of ``user`` knows; ``cursors`` is what it kept from an earlier life.

    One line at a time: `connected`, then what arrives on it in the order in which it arrives, then `disconnected`.
    """

    user: UserId
    cursors: dict[RoomId, Cursor] = field(factory=dict, converter=_own)
    page: int = 100
    _online: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _pause_ms: int = field(default=PAUSE_MS_MIN, init=False)
    _numbers: int = field(default=0, init=False)
    _commands: dict[int, _Command] = field(factory=dict, init=False)
    _reading: tuple[int, _Read] | None = field(default=None, init=False)
    _stale: dict[RoomId, None] = field(factory=dict, init=False)
    """Rooms whose pushes are dropped until a `sync` that names them is answered."""
    _unknown: dict[RoomId, Seq] = field(factory=dict, init=False)
    """Rooms of which only entries are known, up to this seq."""
    _invited: dict[RoomId, None] = field(factory=dict, init=False)
    """Rooms that were shown as one is invited to."""
    _next_rooms: str | None = field(default=None, init=False)

    # The line.

    def connected(self) -> Effects:
        """A new line is open; "commands may be sent from CONNECT on".

        "A client that comes back connects, calls `sync` with the last seq it has of each room, … and repeats
        unanswered commands with the same keys."
        """
        self._online, self._paused, self._pause_ms = True, False, PAUSE_MS_MIN
        self._stale = dict.fromkeys(self.cursors)
        return [*self._send_due(), *self._ask()]

    def disconnected(self) -> Effects:
        """The line is gone: nothing more will arrive on it."""
        self._online, self._reading, self._next_rooms = False, None, None
        self._unknown.clear()
        lost = [number for number, command in self._commands.items() if command.sent and not command.repeatable]
        for command in self._commands.values():
            command.sent = False
        for number in lost:
            del self._commands[number]
        return [Settled(number, None) for number in lost]

    def retry(self) -> Effects:
        """The time of a `Wait` is over."""
        if not self._paused:
            return []
        self._paused = False
        return [*self._send_due(), *self._ask()]

    # What the user wants.

    def send(self, event: str, data: Object) -> tuple[int, Effects]:
        """A command of the user's: its number, which ends in one `Settled`, and what there is to do now.

        With a key it is repeated until it has an answer that is not temporary. Commands to one room go out in order:
        none overtakes one that waits to be repeated.
        """
        number = self._number()
        self._commands[number] = _Command(event, data, self._place(data))
        return number, self._send_due()

    def sync(self, rooms: Iterable[RoomId] = ()) -> Effects:
        """Ask again what was missed: in every room that is known, or only in ``rooms``, known or not."""
        self._stale.update(dict.fromkeys(list(rooms) or self.cursors))
        return self._ask()

    # What arrives.

    def pushed(self, event: str, body: Object) -> Effects:
        """A push. "Clients ignore kinds, fields, pushes … that they do not know"."""
        match event:
            case "ready":
                taken = self._ready(body)
            case "entry" if body["room"] not in self._stale:
                taken = self._entry(body)
            case "room" if body["room"] not in self._stale:
                taken = self._room(body)
            case "room.gone" if body["room"] not in self._stale:
                taken = self._forget(body["room"])
            case _:
                # "From connecting until that answer a client drops the room's entry, room and room.gone."
                taken = []
        return [*taken, *self._ask()]

    def answered(self, number: int, answer: Object) -> Effects:
        """The answer to an `Ask`. "Temporary: repeat with the same key"."""
        if self._reading and self._reading[0] == number:
            read, self._reading = self._reading[1], None
            taken = self._read_answered(read, answer)
        elif number in self._commands:
            taken = self._command_answered(number, answer)
        else:
            taken = []
        return [*taken, *self._ask()]

    def _read_answered(self, read: _Read, answer: Object) -> Effects:
        if answer["ok"]:
            self._pause_ms = PAUSE_MS_MIN
            return read.take(answer)
        if answer["error"]["temporary"]:
            return self._wait(answer)
        read.refused()
        return []

    def _command_answered(self, number: int, answer: Object) -> Effects:
        command = self._commands[number]
        if not answer["ok"] and answer["error"]["temporary"] and command.repeatable:
            command.sent, command.failed = False, True
            return self._wait(answer)
        del self._commands[number]
        self._pause_ms = PAUSE_MS_MIN
        return [Settled(number, answer), *self._send_due()]

    def _wait(self, answer: Object) -> Effects:
        if self._paused:
            return []
        self._paused = True
        ms = max(self._pause_ms, answer["error"].get("retry_after_ms", 0))
        self._pause_ms = min(2 * self._pause_ms, PAUSE_MS_MAX)
        return [Wait(ms)]

    def _ready(self, ready: Object) -> Effects:
        """ "Rooms without a cursor … come from `ready` and `rooms`": of the invitations only those still stand that do. """
        ended = [effect for room in tuple(self._invited) for effect in self._forget(room)]
        return [*ended, *self._listed(ready)]

    def _listed(self, page: Object) -> Effects:
        self._next_rooms = page.get("next")
        found: Effects = []
        for room in page["rooms"]:
            found += [Shown(room["room"], room)] if room["room"] in self.cursors else self._adopt(room)
        return found

    def _entry(self, entry: Object) -> Effects:
        """ "And still advance their cursor": whatever kind the entry is. "Clients drop what they have by seq"."""
        room, seq = entry["room"], entry["seq"]
        cursor = self.cursors.get(room)
        if cursor is None:
            # "An `entry` of a room not known yet (lists move while one pages): `room.get`."
            self._unknown[room] = max(seq, self._unknown.get(room, 0))
            return []
        if seq <= cursor.seq:
            return []
        missed = seq - 1
        self.cursors[room] = evolve(cursor.moved(missed, lacking=True), seq=seq)
        taken: Effects = [Missed(room, cursor.seq + 1, missed)] if missed > cursor.seq else []
        return [*taken, Entries(room, [entry], as_of=seq)]

    def _room(self, shown: Object) -> Effects:
        """ "A `room` whose `head` is above the cursor is a gap: the cursor becomes `head`, page `history`." """
        room = shown["room"]
        cursor = self.cursors.get(room)
        if cursor is None:
            return self._adopt(shown)
        if cursor.epoch != shown["epoch"]:
            return self._doubt(room)
        if shown["head"] > cursor.seq:
            self.cursors[room] = cursor.moved(shown["head"], lacking=True)
        return [Shown(room, shown)]

    def _adopt(self, shown: Object) -> Effects:
        """A room from here on: of a member, everything up to its head is lacking; others get no entries."""
        room = shown["room"]
        seen = self._unknown.pop(room, 0)
        state = shown.get("me", {}).get("state")
        if state == "invited":
            self._invited[room] = None
        if state == "member":
            self._invited.pop(room, None)
            empty = Cursor(shown["epoch"], 0)
            self.cursors[room] = empty.moved(max(shown["head"], seen), lacking=True)
        return [Shown(room, shown)]

    def _forget(self, room: RoomId) -> Effects:
        """ "After `room.gone` forget the cursor." An invitation has none, and ends alike. """
        self._unknown.pop(room, None)
        known = room in self.cursors or room in self._invited
        self.cursors.pop(room, None)
        self._invited.pop(room, None)
        return [Forget(room)] if known else []

    def _doubt(self, room: RoomId) -> Effects:
        """What is known of the room does not fit what the server says: its next `sync` tells."""
        self._stale[room] = None
        return []

    # Sending.

    def _place(self, data: Object) -> RoomId | None:
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)}:
                return private_room_id(self.user, user)
            case _:
                return None

    def _send_due(self) -> Effects:
        """The commands that may go out now, in order; while paused, none to a place where one waits."""
        due: Effects = []
        held: set[RoomId | None] = set()
        for number, command in self._commands.items():
            if command.sent or not self._online:
                continue
            if self._paused and (command.failed or command.place in held):
                held.add(command.place)
                held.discard(None)
                continue
            command.sent, command.failed = True, False
            due.append(Ask(number, command.event, command.data))
        return due

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # Reading: one question at a time, since the server answers them so and holds back what comes behind one.

    def _ask(self) -> Effects:
        if not self._online or self._paused or self._reading:
            return []
        read = self._due_sync() or self._due_rooms() or self._due_room() or self._due_page()
        if read is None:
            return []
        self._reading = self._number(), read
        return [Ask(self._reading[0], read.event, read.data)]

    def _due_sync(self) -> _Read | None:
        """ "At most 500 cursors and 64 KiB: a client splits." "Seq 0 means nothing and omits the epoch." """
        cursors: dict[RoomId, Object] = {}
        size = 0
        for room in self._stale:
            cursor = self.cursors.get(room)
            cursors[room] = {"epoch": cursor.epoch, "seq": cursor.seq} if cursor and cursor.seq else {"seq": 0}
            size += len(room) + len(cursor.epoch if cursor else "") + 40
            if len(cursors) == CURSORS_MAX or size > SYNC_CHARACTERS_MAX:
                break
        if not cursors:
            return None
        refused = partial(self._fresh, cursors)
        return _Read("sync", {"cursors": cursors}, partial(self._synced, cursors), refused)

    def _fresh(self, rooms: Iterable[RoomId]) -> None:
        for room in rooms:
            self._stale.pop(room, None)

    def _synced(self, cursors: Mapping[RoomId, Object], answer: Object) -> Effects:
        self._fresh(cursors)
        found: Effects = []
        for room, one in answer["rooms"].items():
            found += self._synced_room(room, one)
        return found

    def _synced_room(self, room: RoomId, one: Object) -> Effects:
        """`events`, `gap` (page `history`), `reset` ("forget the room and page `history`") or `gone`."""
        if one["status"] == "gone":
            return self._forget(room)
        found = self._forget(room) if one["status"] == "reset" else []
        self._unknown.pop(room, None)
        self._invited.pop(room, None)
        cursor = self.cursors.get(room) or Cursor(one["epoch"], 0)
        new = [entry for entry in one.get("entries", ()) if entry["seq"] > cursor.seq]
        self.cursors[room] = cursor.moved(max(one["head"], cursor.seq), lacking=one["status"] != "events")
        if new:
            found.append(Entries(room, new, as_of=one["head"]))
        shown = {name: value for name, value in one.items() if name not in ("status", "entries")}
        return [*found, Shown(room, shown)]

    def _due_rooms(self) -> _Read | None:
        if self._next_rooms is None:
            return None
        return _Read("rooms", {"after": self._next_rooms}, self._listed, self._end_of_rooms)

    def _end_of_rooms(self) -> None:
        self._next_rooms = None

    def _due_room(self) -> _Read | None:
        for room in self._unknown:
            return _Read("room.get", {"room": room}, self._got, partial(self._not_got, room))
        return None

    def _not_got(self, room: RoomId) -> None:
        self._unknown.pop(room, None)

    def _got(self, room: Object) -> Effects:
        return [Shown(room["room"], room)] if room["room"] in self.cursors else self._adopt(room)

    def _due_page(self) -> _Read | None:
        for room, cursor in self.cursors.items():
            if cursor.holes and room not in self._stale:
                first, last = cursor.holes[-1]
                data = {"room": room, "anchor": last, "before": min(last - first, self.page - 1)}
                take = partial(self._paged, (first, last))
                return _Read("history", data, take, partial(self._not_paged, room))
        return None

    def _paged(self, hole: Hole, page: Object) -> Effects:
        room, first = page["room"], hole[0]
        cursor = self.cursors.get(room)
        if cursor is None or hole not in cursor.holes:
            return []
        if page["epoch"] != cursor.epoch:
            return self._doubt(room)
        new = [entry for entry in page["entries"] if first <= entry["seq"] <= hole[1]]
        holes = [one for one in cursor.holes if one != hole]
        if new and new[0]["seq"] > first:
            holes.append((first, new[0]["seq"] - 1))
        self.cursors[room] = evolve(cursor, holes=tuple(holes))
        return [Entries(room, new, as_of=page["head"])] if new else []

    def _not_paged(self, room: RoomId) -> None:
        """Not a member any more, so far as the server knows. The hole stays until `sync` says what is true of the room:
        who has joined again meanwhile still lacks it."""
        if room in self.cursors:
            self._stale[room] = None
