"""The rooms of a client: how pushes and answers change its cursors, and what the client asks next."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from attrs import define, evolve, field, frozen

from ..ids import RoomId, Seq
from .cursor import Hole, RoomCursor
from .effects import Effects, Entries, Forget, Missed, Object, RoomFields, Typists
from .floors import EveryEntry, Floors

PAGE_MAX = 200
CURSORS_MAX = 500
SYNC_CHARACTERS_MAX = 48_000
"""Characters of the cursors of one `sync`, so that the command stays below 64 KiB."""
CURSOR_CHARACTERS = 40
"""Characters of one cursor besides its room and epoch, as an upper bound."""
EMPTY = RoomCursor("", 0)


def _do_nothing() -> None:
    pass


@frozen
class ReplicaQuery:
    """A command that the client sends without a request of its user, to learn what it lacks.

    Attributes:
        on_answer: takes the answer, and returns its effects.
        on_refusal: is called for an error that is not temporary.
    """

    event: str
    data: Object
    on_answer: Callable[[Object], Effects]
    on_refusal: Callable[[], None] = _do_nothing


@define(eq=False)
class Rooms:
    """The rooms of one user. `next_query` returns the same query until its answer or refusal is given."""

    cursors: dict[RoomId, RoomCursor]
    _page: int
    _floors: Floors = field(factory=EveryEntry)
    _stale: dict[RoomId, None] = field(factory=dict, init=False)
    """Rooms to name in a `sync`. Their pushes are dropped until it is answered."""
    _unknown: dict[RoomId, Seq] = field(factory=dict, init=False)
    """Rooms without a cursor to ask `room.get` for, each with the highest seq that was pushed. The server does not push
    the entries up to that seq again."""
    _outdated: dict[RoomId, Seq] = field(factory=dict, init=False)
    """Rooms with a cursor to ask `room.get` for, until an answer is as of this seq."""
    _invited: set[RoomId] = field(factory=set, init=False)
    _unlisted: set[RoomId] = field(factory=set, init=False)
    """The invitations from before this connection that the list of rooms has not shown yet."""
    _typed: set[RoomId] = field(factory=set, init=False)
    """The rooms in which users type."""
    _list_token: str | None = field(default=None, init=False)
    """The page token of the next page of the list of rooms; None when the list is complete."""

    def connected(self) -> Effects:
        """Mark all rooms stale. `ready` and `rooms` list the invitations that are still open."""
        self._stale = dict.fromkeys(self.cursors)
        self._invited -= self.cursors.keys()
        self._unlisted = set(self._invited)
        return []

    def disconnected(self) -> Effects:
        """ "When the connection ends, forget all these lists" of users who type."""
        self._list_token = None
        self._unknown.clear()
        self._outdated.clear()
        typed, self._typed = self._typed, set()
        return [Typists(room, []) for room in sorted(typed)]

    def mark_stale(self, rooms: Iterable[RoomId]) -> None:
        """Trust nothing about these rooms until a `sync` that names them is answered."""
        self._stale.update(dict.fromkeys(rooms))

    def mark_outdated(self, room: RoomId, seq: Seq = 0) -> None:
        """Ask `room.get` for a room whose Room does not follow from its entries up to ``seq``."""
        self._outdated[room] = max(seq, self._outdated.get(room, 0))

    @property
    def is_list_read(self) -> bool:
        """Whether no further page of the list of rooms is asked for."""
        return self._list_token is None

    def awaits(self, room: RoomId) -> bool:
        """Return whether the client is about to learn what it has of a room."""
        return room in self._stale or room in self._unknown

    # What arrives.

    def pushed(self, event: str, body: Object) -> Effects:
        match event:
            case "ready":
                # "Rooms without a cursor … come from `ready` and `rooms`."
                return self._list_received(body)
            case "entry" | "room" | "room.gone" if body["room"] in self._stale:
                # "From connecting until the answer of the `sync` that names a room, drop that room's pushes."
                return []
            case "entry":
                return self._entry_pushed(body)
            case "room":
                return self._room_pushed(body)
            case "room.gone":
                return self._forget(body["room"])
            case "typing":
                return self._typing_pushed(body)
            case _:
                return []

    def _list_received(self, page: Object) -> Effects:
        self._list_token = page.get("next")
        received = [effect for room in page["rooms"] for effect in self._room_received(room)]
        return [*received, *self._end_unlisted()] if self._list_token is None else received

    def _end_unlisted(self) -> Effects:
        """Forget the invitations that the whole list does not show any more."""
        return [effect for room in sorted(self._unlisted) for effect in self._forget(room)]

    def _entry_pushed(self, entry: Object) -> Effects:
        """ "drop it when the client already has it by `(room, seq)`", "and still advance their cursor" for any kind."""
        room, seq = entry["room"], entry["seq"]
        cursor = self.cursors.get(room)
        if cursor is None:
            # "An `entry` of a room not known yet (lists move while a client pages them): ask `room.get`."
            self._unknown[room] = max(seq, self._unknown.get(room, 0))
            return []
        if seq <= cursor.seq:
            return []
        last_missed = seq - 1
        self.cursors[room] = evolve(cursor.advanced(last_missed, lacking=True), seq=seq)
        missed: Effects = [Missed(room, cursor.seq + 1, last_missed)] if last_missed > cursor.seq else []
        return [*missed, Entries(room, [entry], as_of=seq)]

    def _room_pushed(self, body: Object) -> Effects:
        """ "`room` with a `head` above the cursor is a gap: the cursor becomes `head`, page `history`." """
        room = body["room"]
        cursor = self.cursors.get(room)
        if cursor and cursor.epoch != body["epoch"]:
            self.mark_stale([room])
            return []
        if cursor and body["head"] > cursor.seq:
            self.cursors[room] = cursor.advanced(body["head"], lacking=True)
        return self._room_received(body)

    def _room_received(self, body: Object) -> Effects:
        """Take a Room object. A member without a cursor lacks all entries up to the room's head."""
        room = body["room"]
        pushed_seq = self._unknown.pop(room, 0)
        self._unlisted.discard(room)
        match body:
            case {"me": {"state": "invited"}} if self._is_older_than_join(body):
                return []
            case {"me": {"state": "member"}} if room not in self.cursors:
                head = max(body["head"], pushed_seq)
                self._begin(room, RoomCursor(body["epoch"], 0).advanced(head, lacking=True))
            case {"me": {"state": "invited"}}:
                self._invited.add(room)
            case {"me": _}:
                pass
            case _:
                # A public room as others see it: the user does not belong to it any more.
                return []
        return [RoomFields(room, body)]

    def _begin(self, room: RoomId, cursor: RoomCursor) -> None:
        """Set a cursor that may be the first one of its room. It fixes the floor of a room that is open."""
        self.cursors[room] = cursor
        self._floors.of(room, cursor)

    def _typing_pushed(self, body: Object) -> Effects:
        """ "Replace the list of those who type in that room, at any time, also before the answer of `sync`." """
        room, users = body["room"], body["users"]
        if users:
            self._typed.add(room)
        else:
            self._typed.discard(room)
        return [Typists(room, users)]

    def _is_older_than_join(self, body: Object) -> bool:
        """ "A Room that shows `me.state: "invited"`, with a `head` not above the client's cursor …, is older." """
        cursor = self.cursors.get(body["room"])
        return cursor is not None and cursor.epoch == body["epoch"] and body["head"] <= cursor.seq

    def _forget(self, room: RoomId) -> Effects:
        """ "`room.gone`: forget the cursor." """
        self._unknown.pop(room, None)
        self._outdated.pop(room, None)
        self._invited.discard(room)
        self._unlisted.discard(room)
        self._typed.discard(room)
        self._floors.forget(room)
        self.cursors.pop(room, None)
        return [Forget(room)]

    # What the client asks.

    def next_query(self) -> ReplicaQuery | None:
        """Return the next query. Stale rooms come first, because the other queries build on their cursors."""
        return self._sync_query() or self._list_query() or self._room_query() or self._page_query()

    def _sync_query(self) -> ReplicaQuery | None:
        """ "`sync` takes at most 500 cursors and 64 KiB: split what is more." A cursor of seq 0 has no epoch."""
        cursors: dict[RoomId, Object] = {}
        size = 0
        for room in self._stale:
            cursor = self.cursors.get(room)
            cursors[room] = {"epoch": cursor.epoch, "seq": cursor.seq} if cursor and cursor.seq else {"seq": 0}
            size += len(room) + len(cursor.epoch if cursor else "") + CURSOR_CHARACTERS
            if len(cursors) == CURSORS_MAX or size > SYNC_CHARACTERS_MAX:
                break
        if not cursors:
            return None
        return ReplicaQuery(
            "sync", {"cursors": cursors}, partial(self._synced, cursors), partial(self._clear_stale, cursors)
        )

    def _clear_stale(self, rooms: Iterable[RoomId]) -> None:
        for room in rooms:
            self._stale.pop(room, None)

    def _synced(self, cursors: Mapping[RoomId, Object], answer: Object) -> Effects:
        self._clear_stale(cursors)
        return [effect for room, synced in answer["rooms"].items() for effect in self._room_synced(room, synced)]

    def _room_synced(self, room: RoomId, synced: Object) -> Effects:
        """Apply `events`, `gap` (page `history`), `reset` ("forget the room and page `history`") or `gone`."""
        if synced["status"] == "gone":
            return self._room_gone(room)
        effects = self._forget(room) if synced["status"] == "reset" else []
        self._unknown.pop(room, None)
        cursor = evolve(self.cursors.get(room, EMPTY), epoch=synced["epoch"])
        new = [entry for entry in synced.get("entries", ()) if entry["seq"] > cursor.seq]
        head = max(synced["head"], cursor.seq)
        self._begin(room, cursor.advanced(head, lacking=synced["status"] != "events"))
        if new:
            effects.append(Entries(room, new, as_of=synced["head"]))
        fields = {name: value for name, value in synced.items() if name not in ("status", "entries")}
        return [*effects, RoomFields(room, fields)]

    def _room_gone(self, room: RoomId) -> Effects:
        """Forget a room of which the user is no member.

        `sync` does not say whether the user is invited again. So the client asks `room.get` for a room to which the
        user was invited.
        """
        is_invited = room in self._invited
        effects = self._forget(room)
        if is_invited:
            self._unknown[room] = 0
        return effects

    def _list_query(self) -> ReplicaQuery | None:
        if self._list_token is None:
            return None
        return ReplicaQuery("rooms", {"after": self._list_token}, self._list_received, self._list_refused)

    def _list_refused(self) -> None:
        self._list_token = None

    def _room_query(self) -> ReplicaQuery | None:
        for room in (*self._unknown, *self._outdated):
            return ReplicaQuery("room.get", {"room": room}, self._room_answered, partial(self._room_refused, room))
        return None

    def _room_answered(self, body: Object) -> Effects:
        """Take the answer to `room.get`, unless a `room.gone` came before it: the answer may be older than that."""
        room = body["room"]
        if body["head"] >= self._outdated.get(room, 0):
            self._outdated.pop(room, None)
        return self._room_received(body) if room in self.cursors or room in self._unknown else []

    def _room_refused(self, room: RoomId) -> None:
        self._unknown.pop(room, None)
        self._outdated.pop(room, None)

    def _page_query(self) -> ReplicaQuery | None:
        for room, cursor in self.cursors.items():
            hole = self._hole(room, cursor)
            if hole:
                first, last = hole
                data = {"room": room, "anchor": last, "before": min(last - first, self._page - 1)}
                on_answer = partial(self._page_answered, hole)
                return ReplicaQuery("history", data, on_answer, partial(self._page_refused, room))
        return None

    def _hole(self, room: RoomId, cursor: RoomCursor) -> Hole | None:
        """Return the newest range that the client lacks above the room's floor."""
        floor = self._floors.of(room, cursor) if cursor.holes else None
        if floor is None or cursor.holes[-1][1] < floor:
            return None
        first, last = cursor.holes[-1]
        return max(first, floor), last

    def lacks_wanted(self, room: RoomId) -> bool:
        """Return whether the client lacks entries of a room that are not below the room's floor."""
        cursor = self.cursors.get(room)
        return cursor is not None and self._hole(room, cursor) is not None

    def _page_answered(self, hole: Hole, page: Object) -> Effects:
        room, (first, last) = page["room"], hole
        cursor = self.cursors.get(room)
        if cursor is None or not any(start <= first and end == last for start, end in cursor.holes):
            return []
        if page["epoch"] != cursor.epoch or page["head"] < last:
            self.mark_stale([room])
            return []
        entries = [entry for entry in page["entries"] if first <= entry["seq"] <= last]
        start = min((entry["seq"] for entry in entries), default=first)
        self.cursors[room] = cursor.filled(hole, start)
        return [Entries(room, entries, as_of=page["head"])]

    def _page_refused(self, room: RoomId) -> None:
        """Ask `sync`, because the user was no member when the server answered.

        The hole stays: a user who is a member again still lacks its entries.
        """
        if room in self.cursors:
            self.mark_stale([room])
