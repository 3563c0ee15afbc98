"""What a client has of its rooms: what pushes and answers make of it, and what is to be asked next."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from attrs import define, evolve, field, frozen

from ..ids import RoomId, Seq
from .cursor import Cursor, Hole
from .effects import Effects, Entries, Forget, Missed, Object, Shown

PAGE_MAX = 200
CURSORS_MAX = 500
SYNC_CHARACTERS_MAX = 48_000
NOTHING = Cursor("", 0)


def _nothing() -> None:
    pass


@frozen
class Read:
    """A question of the client's own. ``take`` gets the answer, ``refused`` is called where there will be none."""

    event: str
    data: Object
    take: Callable[[Object], Effects]
    refused: Callable[[], None] = _nothing


@define(eq=False)
class Rooms:
    """The rooms of one user. The same `due` question comes again until it is answered."""

    cursors: dict[RoomId, Cursor]
    _page: int
    _stale: dict[RoomId, None] = field(factory=dict, init=False)
    """Rooms whose pushes are dropped until a `sync` that names them is answered."""
    _unknown: dict[RoomId, Seq] = field(factory=dict, init=False)
    """Rooms without a cursor that are to be asked for, and up to which seq the server will not tell of them again."""
    _invited: set[RoomId] = field(factory=set, init=False)
    _next: str | None = field(default=None, init=False)
    """Where the list of rooms goes on."""

    def connected(self) -> Effects:
        """Everything known is in doubt; to which rooms the user is still invited, `ready` and `rooms` say."""
        self._stale = dict.fromkeys(self.cursors)
        invited, self._invited = self._invited - self.cursors.keys(), set()
        return [Forget(room) for room in sorted(invited)]

    def disconnected(self) -> None:
        self._next = None
        self._unknown.clear()

    def doubt(self, rooms: Iterable[RoomId]) -> None:
        """Only a `sync` tells what is true of these rooms."""
        self._stale.update(dict.fromkeys(rooms))

    # What arrives.

    def pushed(self, event: str, body: Object) -> Effects:
        match event:
            case "ready":
                # "Rooms without a cursor … come from `ready` and `rooms`."
                return self._listed(body)
            case "entry" | "room" | "room.gone" if body["room"] in self._stale:
                # "From connecting until the answer of the `sync` that names a room, drop that room's pushes."
                return []
            case "entry":
                return self._entry(body)
            case "room":
                return self._room(body)
            case "room.gone":
                return self._forget(body["room"])
            case _:
                return []

    def _listed(self, page: Object) -> Effects:
        self._next = page.get("next")
        return [effect for room in page["rooms"] for effect in self._seen(room)]

    def _entry(self, entry: Object) -> Effects:
        """ "Drops what it already has by `(room, seq)`", "and still advance their cursor" whatever the kind is."""
        room, seq = entry["room"], entry["seq"]
        cursor = self.cursors.get(room)
        if cursor is None:
            # "An `entry` of a room not known yet (lists move while a client pages them): ask `room.get`."
            self._unknown[room] = max(seq, self._unknown.get(room, 0))
            return []
        if seq <= cursor.seq:
            return []
        missed = seq - 1
        self.cursors[room] = evolve(cursor.moved(missed, lacking=True), seq=seq)
        taken: Effects = [Missed(room, cursor.seq + 1, missed)] if missed > cursor.seq else []
        return [*taken, Entries(room, [entry], as_of=seq)]

    def _room(self, shown: Object) -> Effects:
        """ "`room` with a `head` above the cursor is a gap: the cursor becomes `head`, page `history`." """
        room = shown["room"]
        cursor = self.cursors.get(room)
        if cursor and cursor.epoch != shown["epoch"]:
            self.doubt([room])
            return []
        if cursor and shown["head"] > cursor.seq:
            self.cursors[room] = cursor.moved(shown["head"], lacking=True)
        return self._seen(shown)

    def _seen(self, shown: Object) -> Effects:
        """A Room. Where one is a member and has no cursor, everything up to its head is lacking."""
        room = shown["room"]
        told = self._unknown.pop(room, 0)
        match shown:
            case {"me": {"state": "invited"}} if self._has_joined_since(shown):
                return []
            case {"me": {"state": "member"}} if room not in self.cursors:
                self.cursors[room] = Cursor(shown["epoch"], 0).moved(max(shown["head"], told), lacking=True)
            case {"me": {"state": "invited"}}:
                self._invited.add(room)
            case {"me": _}:
                pass
            case _:
                # A stranger's view of a public room: it is not one of the user's any more.
                return []
        return [Shown(room, shown)]

    def _has_joined_since(self, shown: Object) -> bool:
        """ "A Room that shows `me.state: "invited"`, with a `head` not above the client's cursor …, is older." """
        cursor = self.cursors.get(shown["room"])
        return cursor is not None and cursor.epoch == shown["epoch"] and shown["head"] <= cursor.seq

    def _forget(self, room: RoomId) -> Effects:
        """ "`room.gone`: forget the cursor." """
        self._unknown.pop(room, None)
        self._invited.discard(room)
        self.cursors.pop(room, None)
        return [Forget(room)]

    # What is asked.

    def due(self) -> Read | None:
        """What is in doubt is asked first, so that the others stand on what is true."""
        return self._due_sync() or self._due_list() or self._due_room() or self._due_page()

    def _due_sync(self) -> Read | None:
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
        return Read("sync", {"cursors": cursors}, partial(self._synced, cursors), partial(self._trust, cursors))

    def _trust(self, rooms: Iterable[RoomId]) -> None:
        for room in rooms:
            self._stale.pop(room, None)

    def _synced(self, cursors: Mapping[RoomId, Object], answer: Object) -> Effects:
        self._trust(cursors)
        return [effect for room, one in answer["rooms"].items() for effect in self._synced_room(room, one)]

    def _synced_room(self, room: RoomId, one: Object) -> Effects:
        """`events`, `gap` (page `history`), `reset` ("forget the room and page `history`") or `gone`."""
        if one["status"] == "gone":
            return self._gone(room)
        found = self._forget(room) if one["status"] == "reset" else []
        self._unknown.pop(room, None)
        cursor = evolve(self.cursors.get(room, NOTHING), epoch=one["epoch"])
        new = [entry for entry in one.get("entries", ()) if entry["seq"] > cursor.seq]
        self.cursors[room] = cursor.moved(max(one["head"], cursor.seq), lacking=one["status"] != "events")
        if new:
            found.append(Entries(room, new, as_of=one["head"]))
        fields = {name: value for name, value in one.items() if name not in ("status", "entries")}
        return [*found, Shown(room, fields)]

    def _gone(self, room: RoomId) -> Effects:
        """No member, but perhaps invited again, which `sync` does not say."""
        invited = room in self._invited
        forgotten = self._forget(room)
        if invited:
            self._unknown[room] = 0
        return forgotten

    def _due_list(self) -> Read | None:
        if self._next is None:
            return None
        return Read("rooms", {"after": self._next}, self._listed, self._end_of_list)

    def _end_of_list(self) -> None:
        self._next = None

    def _due_room(self) -> Read | None:
        for room in self._unknown:
            return Read("room.get", {"room": room}, self._got, partial(self._not_got, room))
        return None

    def _got(self, room: Object) -> Effects:
        """The answer may be older than a `room.gone` that came before it."""
        return self._seen(room) if room["room"] in self.cursors or room["room"] in self._unknown else []

    def _not_got(self, room: RoomId) -> None:
        self._unknown.pop(room, None)

    def _due_page(self) -> Read | None:
        for room, cursor in self.cursors.items():
            if cursor.holes:
                first, last = cursor.holes[-1]
                data = {"room": room, "anchor": last, "before": min(last - first, self._page - 1)}
                return Read("history", data, partial(self._paged, (first, last)), partial(self._not_paged, room))
        return None

    def _paged(self, hole: Hole, page: Object) -> Effects:
        room, (first, last) = page["room"], hole
        cursor = self.cursors.get(room)
        if cursor is None or hole not in cursor.holes:
            return []
        if page["epoch"] != cursor.epoch or page["head"] < last:
            self.doubt([room])
            return []
        new = [entry for entry in page["entries"] if first <= entry["seq"] <= last]
        start = min((entry["seq"] for entry in new), default=first)
        self.cursors[room] = cursor.filled(hole, start)
        return [Entries(room, new, as_of=page["head"])]

    def _not_paged(self, room: RoomId) -> None:
        """Not a member any more, so far as the server knew. The hole stays: a member again, one lacks it still."""
        if room in self.cursors:
            self.doubt([room])
