"""What users want: mostly sensible commands, and each kind of nonsense often enough."""

from collections.abc import Sequence
from random import Random

from ...domain.permissions import LEADERS, rank
from ...domain.state import RoomState
from ...ids import RoomId, Seq, UserId, created_room_id, private_room_id
from ...protocol import Object
from .climate import NOBODY, STRANGER
from .wishes import ROWS, other_content
from .wishing import Wish
from .world import World


class Workload:
    """Makes up commands."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self.users = [*world.users, STRANGER]
        self._numbers = 0
        self._used: dict[UserId, list[Wish]] = {}

    def wish(self) -> tuple[UserId, str, Object]:
        """Who wants what."""
        stranger = self.random.random() < 0.07
        user = STRANGER if stranger else self.random.choice(self.world.users)
        event, data = self._again(user) or self._new(user)
        if "key" in data:
            self._used.setdefault(user, []).append((event, data))
        if self.random.random() < 0.03:
            data = self._spoilt(data)
        return user, event, data

    def _new(self, user: UserId) -> Wish:
        cancelled = (self.world.cancelled or "").rpartition(": ")[2]
        if cancelled in ROWS and self.random.random() < 0.5:
            return cancelled, ROWS[cancelled][1](self, user)
        (event,) = self.random.choices(list(ROWS), [weight for weight, _ in ROWS.values()])
        return event, ROWS[event][1](self, user)

    def _again(self, user: UserId) -> Wish | None:
        """A command that repeats an earlier one's key, with its content or with another."""
        used = self._used.get(user)
        if not used or self.random.random() > 0.12:
            return None
        event, data = self.random.choice(used[-12:])
        return (event, data) if self.random.random() < 0.5 else other_content(self, event, data)

    def _spoilt(self, data: Object) -> Object:
        match self.random.choice(("unknown", "missing", "wrong", "empty")):
            case "unknown":
                return data | {"colour": "green"}
            case "missing" if data:
                left_out = self.random.choice(list(data))
                return {name: value for name, value in data.items() if name != left_out}
            case "wrong" if data:
                return data | {self.random.choice(list(data)): None}
            case _:
                return data | {"key": ""}

    # What wishes are made of.

    def word(self) -> str:
        self._numbers += 1
        return f"w{self._numbers}"

    def key(self) -> str:
        self._numbers += 1
        return f"k{self._numbers}"

    def maybe_keyed(self, data: Object) -> Object:
        """The command with a key, where one may be left out."""
        return data | {"key": self.key()} if self.random.random() < 0.7 else data

    def user(self) -> UserId:
        return NOBODY if self.random.random() < 0.03 else self.random.choice(self.world.users)

    def room(self, user: UserId) -> RoomId:
        """Mostly one of the user's, sometimes one of others', sometimes none."""
        draw = self.random.random()
        rooms = self.world.truth.rooms_of(user) if draw < 0.8 else list(self.world.truth.members)
        if draw > 0.97 or not rooms:
            return self.random.choice(
                (private_room_id(user, self.user()), created_room_id(user, self.key()), "no room", "pvt-x")
            )
        return self.random.choice(rooms)

    def led_room(self, user: UserId) -> RoomId:
        """Mostly a room that the user leads."""
        led = [state for state in self._states() if rank(state.members.get(user)) in LEADERS]
        return self.random.choice(led).room if led and self.random.random() < 0.8 else self.room(user)

    def open_room(self, user: UserId) -> RoomId:
        """Mostly a room that the user may join, or may not because they are banned."""
        rooms = [state for state in self._states() if state.kind != "private" and not state.member(user)]
        return self.random.choice(rooms).room if rooms and self.random.random() < 0.7 else self.room(user)

    def _states(self) -> Sequence[RoomState]:
        return list(self.world.truth.states.values())

    def cursor(self, room: RoomId) -> Object:
        epoch = self.world.epoch if self.random.random() < 0.8 else "another"
        return {"seq": self.seq(room), "epoch": epoch} if self.random.random() < 0.7 else {"seq": 0}

    def seq(self, room: RoomId) -> int:
        return self.random.randint(1, self.world.truth.heads.get(room, 0) + 1)

    def message(self, room: RoomId, by: UserId | None = None) -> Seq:
        """Mostly one of the last messages of a room, ``by`` somebody; sometimes what is none."""
        versions = self.world.truth.versions.get(room, {})
        log = self.world.truth.entries.get(room, {})
        seqs = [seq for seq in versions if by is None or log[seq].author == by]
        if not seqs or self.random.random() < 0.1:
            return self.seq(room)
        return self.random.choice(seqs[-3:])
