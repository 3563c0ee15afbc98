"""What users want: one row a command. A new command of the contract is one more row."""

from collections.abc import Callable, Mapping
from random import Random
from typing import TypeAlias

from ...ids import RoomId, UserId, created_room_id, private_room_id
from ...protocol import Object
from .climate import NOBODY, STRANGER
from .world import World

Wish: TypeAlias = tuple[str, Object]
Row: TypeAlias = Callable[["Workload", UserId], Object]


class Workload:
    """Makes up commands: mostly sensible ones, and each kind of nonsense often enough."""

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
        (event,) = self.random.choices(list(ROWS), [weight for weight, _ in ROWS.values()])
        return event, ROWS[event][1](self, user)

    def _again(self, user: UserId) -> Wish | None:
        """A command that repeats an earlier one's key, with its content or with another."""
        used = self._used.get(user)
        if not used or self.random.random() > 0.12:
            return None
        event, data = self.random.choice(used[-12:])
        if self.random.random() < 0.5:
            return event, data
        return (event, data | {"body": self.word()}) if "body" in data else (event, data | {"title": self.word()})

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

    # What rows are made of.

    def word(self) -> str:
        self._numbers += 1
        return f"w{self._numbers}"

    def key(self) -> str:
        self._numbers += 1
        return f"k{self._numbers}"

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

    def cursor(self, room: RoomId) -> Object:
        epoch = self.world.epoch if self.random.random() < 0.8 else "another"
        return {"seq": self.seq(room), "epoch": epoch} if self.random.random() < 0.7 else {"seq": 0}

    def seq(self, room: RoomId) -> int:
        return self.random.randint(1, self.world.truth.heads.get(room, 0) + 1)


def _send(work: Workload, user: UserId) -> Object:
    data: Object = {"key": work.key(), "body": work.word()}
    room = work.room(user)
    if work.random.random() < 0.5:
        data["to"] = other = work.user()
        room = private_room_id(user, other)
    else:
        data["room"] = room
    if work.random.random() < 0.15:
        data["reply_to"] = work.seq(room)
    if work.random.random() < 0.1:
        data["mentions"] = [work.user()]
    if work.random.random() < 0.1:
        data["data"] = {"n": [1, {"x": None}]}
    return data


def _create(work: Workload, user: UserId) -> Object:
    members = [work.user() for _ in range(work.random.randint(0, 2))]
    return {
        "key": work.key(),
        "kind": work.random.choice(("group", "public", "public")),
        "title": work.word(),
        "members": members,
    }


def _join(work: Workload, user: UserId) -> Object:
    rooms = list(work.world.truth.members)
    data: Object = {"room": work.random.choice(rooms) if rooms and work.random.random() < 0.8 else work.room(user)}
    return data | {"key": work.key()} if work.random.random() < 0.7 else data


def _history(work: Workload, user: UserId) -> Object:
    if work.random.random() < 0.3:
        return {"with": work.user()}
    data: Object = {"room": work.room(user)}
    if work.random.random() < 0.6:
        anchors = ("oldest", "newest", "first_unread", work.seq(data["room"]))
        data["anchor"] = work.random.choice(anchors)
    if work.random.random() < 0.5:
        data["before"] = work.random.randint(0, 100)
    if work.random.random() < 0.5:
        data["after"] = work.random.randint(0, 100)
    if work.random.random() < 0.2:
        data["messages_only"] = True
    return data


def _sync(work: Workload, user: UserId) -> Object:
    """Cursors of somebody who was away; over a socket only ever through `Replica.sync`."""
    rooms = {work.room(user) for _ in range(work.random.randint(1, 4))}
    return {"cursors": {room: work.cursor(room) for room in sorted(rooms)}}


ROWS: Mapping[str, tuple[float, Row]] = {
    "message.send": (10, _send),
    "room.create": (1, _create),
    "room.join": (2, _join),
    "history": (1, _history),
    "sync": (1, _sync),
    "rooms": (0.5, lambda work, user: {"limit": work.random.choice((1, 2, 50))}),
    "room.get": (1, lambda work, user: {"room": work.room(user)}),
}
