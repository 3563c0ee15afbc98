"""The commands that users give: mostly sensible ones, and each kind of invalid one often enough."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from ...domain.entries import MembershipState
from ...domain.names import title_form
from ...domain.page_tokens import TitlePlace
from ...domain.permissions import LEADERS, rank
from ...domain.state import RoomState
from ...ids import RoomId, Seq, UserId, created_room_id, private_room_id
from ...protocol import Object
from .host import TOKENS
from .profile import STRANGER, UNKNOWN_USER
from .world import World

Request: TypeAlias = tuple[str, Object]
"""A command's name and its object."""
EMOJI = ("👍", "❤", "🎉")


class Workload:
    """Makes the commands of a run, and the ids, words and keys in them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self.users: list[UserId] = [*world.users, STRANGER]
        self._numbers = 0
        self._keyed: dict[UserId, list[Request]] = {}
        """The commands with a key that each user has given."""

    def next_command(self) -> tuple[UserId, str, Object]:
        """Return a user, and the name and the object of the command that the user gives."""
        is_stranger = self.random.random() < 0.07
        user = STRANGER if is_stranger else self.random.choice(self.world.users)
        name, data = self._repeated(user) or self._new(user)
        if "key" in data:
            self._keyed.setdefault(user, []).append((name, data))
        if self.random.random() < 0.03:
            data = self._invalid(data)
        return user, name, data

    def _new(self, user: UserId) -> Request:
        cancelled = (self.world.cancelled_call or "").rpartition(": ")[2]
        if cancelled in GENERATORS and self.random.random() < 0.5:
            return cancelled, GENERATORS[cancelled][1](self, user)
        (name,) = self.random.choices(list(GENERATORS), [weight for weight, _ in GENERATORS.values()])
        return name, GENERATORS[name][1](self, user)

    def _repeated(self, user: UserId) -> Request | None:
        """Return a command with the key of an earlier one, with the same content or with another."""
        keyed = self._keyed.get(user)
        if not keyed or self.random.random() > 0.12:
            return None
        name, data = self.random.choice(keyed[-12:])
        return (name, data) if self.random.random() < 0.5 else self._with_other_content(name, data)

    def _with_other_content(self, name: str, data: Object) -> Request:
        """Return a command with the same key and another content: another field, or another command."""
        for field in ("body", "title", "emoji"):
            if field in data:
                return name, data | {field: self.word()}
        if "user" in data:
            return name, data | {"user": self.user()}
        kept = {field: value for field, value in data.items() if field in ("room", "key")}
        return ("room.leave", kept) if name == "room.join" else ("room.update", kept | {"title": self.word()})

    def _invalid(self, data: Object) -> Object:
        match self.random.choice(("unknown", "missing", "wrong", "empty")):
            case "unknown":
                return data | {"colour": "green"}
            case "missing" if data:
                omitted = self.random.choice(list(data))
                return {field: value for field, value in data.items() if field != omitted}
            case "wrong" if data:
                return data | {self.random.choice(list(data)): None}
            case _:
                return data | {"key": ""}

    # Parts of commands.

    def word(self) -> str:
        self._numbers += 1
        return f"w{self._numbers}"

    def key(self) -> str:
        self._numbers += 1
        return f"k{self._numbers}"

    def maybe_keyed(self, data: Object) -> Object:
        """Return the command mostly with a key, for commands whose key is optional."""
        return data | {"key": self.key()} if self.random.random() < 0.7 else data

    def maybe_with_reason(self, data: Object) -> Object:
        return data | {"reason": self.word()} if self.random.random() < 0.3 else data

    def user(self) -> UserId:
        """Return a user, seldom the unknown user."""
        return UNKNOWN_USER if self.random.random() < 0.03 else self.random.choice(self.world.users)

    def user_in(self, room: RoomId, *membership_states: MembershipState) -> UserId:
        """Return mostly a user with one of these membership states in the room."""
        state = self.world.reference.states.get(room)
        members = state.members.items() if state else ()
        users = [user for user, member in members if member.state in membership_states]
        return self.random.choice(users) if users and self.random.random() < 0.85 else self.user()

    def room(self, user: UserId) -> RoomId:
        """Return mostly a room of the user, sometimes a room of others, sometimes an id without a room."""
        draw = self.random.random()
        rooms = self.world.reference.rooms_of(user) if draw < 0.8 else list(self.world.reference.affected_users)
        if draw > 0.97 or not rooms:
            return self.random.choice(
                (private_room_id(user, self.user()), created_room_id(user, self.key()), "no room", "pvt-x")
            )
        return self.random.choice(rooms)

    def led_room(self, user: UserId) -> RoomId:
        """Return mostly a room in which the user is owner or admin."""
        led = [state for state in self._states() if rank(state.members.get(user)) in LEADERS]
        return self.random.choice(led).room if led and self.random.random() < 0.8 else self.room(user)

    def joinable_room(self, user: UserId) -> RoomId:
        """Return mostly a group or a public room in which the user is not a member, and may be banned."""
        rooms = [state for state in self._states() if state.kind != "private" and not state.member(user)]
        return self.random.choice(rooms).room if rooms and self.random.random() < 0.7 else self.room(user)

    def _states(self) -> Sequence[RoomState]:
        return list(self.world.reference.states.values())

    def cursor(self, room: RoomId) -> Object:
        epoch = self.world.epoch if self.random.random() < 0.8 else "another"
        return {"seq": self.seq(room), "epoch": epoch} if self.random.random() < 0.7 else {"seq": 0}

    def seq(self, room: RoomId) -> int:
        """Return a seq of the room, or the one above its head."""
        return self.random.randint(1, self.world.reference.heads_min.get(room, 0) + 1)

    def message(self, room: RoomId, by: UserId | None = None) -> Seq:
        """Return mostly one of the last messages of a room, of the author ``by``; sometimes any seq."""
        versions = self.world.reference.versions.get(room, {})
        log = self.world.reference.entries.get(room, {})
        seqs = [seq for seq in versions if by is None or log[seq].author == by]
        if not seqs or self.random.random() < 0.1:
            return self.seq(room)
        return self.random.choice(seqs[-3:])


# One generator for each command.


def _send(work: Workload, user: UserId) -> Object:
    data: Object = {"key": work.key(), "body": work.word()}
    room = work.room(user)
    if work.random.random() < 0.5:
        data["to"] = other = work.user()
        room = private_room_id(user, other)
    else:
        data["room"] = room
    if work.random.random() < 0.15:
        data["reply_to"] = work.message(room)
    if work.random.random() < 0.1:
        data["mentions"] = [work.user()]
    if work.random.random() < 0.1:
        data["data"] = {"n": [1, {"x": None}]}
    return data


def _edit(work: Workload, user: UserId) -> Object:
    room = work.room(user)
    seq = work.message(room, by=user if work.random.random() < 0.8 else None)
    current = work.world.reference.versions.get(room, {}).get(seq, 1)
    version = current if work.random.random() < 0.8 else work.random.randint(1, 3)
    return work.maybe_keyed({"room": room, "seq": seq, "version": version, "body": work.word()})


def _delete(work: Workload, user: UserId) -> Object:
    room = work.room(user)
    return work.maybe_keyed({"room": room, "seq": work.message(room, by=user if work.random.random() < 0.6 else None)})


def _react(work: Workload, user: UserId) -> Object:
    room = work.room(user)
    data = {"emoji": work.random.choice(EMOJI), "on": work.random.random() < 0.7}
    return work.maybe_keyed({"room": room, "seq": work.message(room), **data})


def _create(work: Workload, user: UserId) -> Object:
    members = [work.user() for _ in range(work.random.randint(0, 2))]
    return {
        "key": work.key(),
        "kind": work.random.choice(("group", "public", "public")),
        "title": work.word(),
        "members": members,
    }


def _update(work: Workload, user: UserId) -> Object:
    title = work.word() if work.random.random() < 0.8 else "the same"
    return work.maybe_keyed({"room": work.led_room(user), "title": title})


def _join(work: Workload, user: UserId) -> Object:
    return work.maybe_keyed({"room": work.joinable_room(user)})


def _leave(work: Workload, user: UserId) -> Object:
    return work.maybe_keyed({"room": work.room(user)})


def _invite(work: Workload, user: UserId) -> Object:
    return work.maybe_keyed({"room": work.led_room(user), "user": work.user()})


def _remove_or_ban(work: Workload, user: UserId) -> Object:
    room = work.led_room(user)
    data: Object = {"room": room, "user": work.user_in(room, "member", "invited")}
    return work.maybe_keyed(work.maybe_with_reason(data))


def _unban(work: Workload, user: UserId) -> Object:
    room = work.led_room(user)
    return work.maybe_keyed({"room": room, "user": work.user_in(room, "banned")})


def _change_role(work: Workload, user: UserId) -> Object:
    room = work.led_room(user)
    role = work.random.choice(("owner", "admin", "member"))
    return work.maybe_keyed({"room": room, "user": work.user_in(room, "member"), "role": role})


def _members(work: Workload, user: UserId) -> Object:
    return {"room": work.room(user), "limit": work.random.choice((1, 2, 50))}


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
    """Return the cursors for a `sync` without a socket. Over a socket the `Replica` makes them."""
    rooms = {work.room(user) for _ in range(work.random.randint(1, 4))}
    return {"cursors": {room: work.cursor(room) for room in sorted(rooms)}}


def _rooms(work: Workload, _: UserId) -> Object:
    return {"limit": work.random.choice((1, 2, 50))}


def _public_rooms(work: Workload, user: UserId) -> Object:
    data: Object = {"limit": work.random.choice((1, 2, 50))}
    if work.random.random() < 0.4:
        data["prefix"] = work.random.choice(("w", "W1", "w2", "the"))
    if work.random.random() < 0.4:
        room = work.room(user)
        state = work.world.reference.states.get(room)
        title = state.title if state and state.title else work.word()
        data["after"] = TitlePlace(title_form(title), room).encoded()
    return data


def _get(work: Workload, user: UserId) -> Object:
    return {"room": work.room(user)}


def _mark(work: Workload, user: UserId) -> Object:
    data: Object = {"room": work.room(user)}
    for field, probability in (("read", 0.6), ("delivered", 0.3), ("unread_from", 0.1)):
        if work.random.random() < probability:
            data[field] = work.seq(data["room"])
    if work.random.random() < 0.15:
        data["muted"] = work.random.random() < 0.5
    return data


def _unread(_: Workload, __: UserId) -> Object:
    return {}


def _profiles(work: Workload, _: UserId) -> Object:
    return {"users": [work.user() for _ in range(work.random.randint(1, 5))]}


def _block(work: Workload, _: UserId) -> Object:
    return {"user": work.user()}


def _blocks(_: Workload, __: UserId) -> Object:
    return {}


def _people(work: Workload, _: UserId) -> Object:
    return {"prefix": work.user()[: work.random.choice((1, 2))], "limit": work.random.choice((1, 2, 50))}


def _typing(work: Workload, user: UserId) -> Object:
    return {"room": work.room(user), "on": work.random.random() < 0.8}


def _presence(work: Workload, _: UserId) -> Object:
    return {"users": [work.user() for _ in range(work.random.randint(0, 5))]}


def _set_presence(work: Workload, _: UserId) -> Object:
    return {"state": work.random.choice(("online", "away"))}


def _refresh(work: Workload, _: UserId) -> Object:
    return {"token": work.random.choice(TOKENS)}


Generator: TypeAlias = Callable[[Workload, UserId], Object]
"""Makes the object of a command that a user gives."""

GENERATORS: Mapping[str, tuple[float, Generator]] = {
    "message.send": (10, _send),
    "message.edit": (2, _edit),
    "message.delete": (1, _delete),
    "message.react": (2, _react),
    "room.create": (1, _create),
    "room.update": (0.7, _update),
    "room.join": (2, _join),
    "room.leave": (0.6, _leave),
    "room.invite": (1, _invite),
    "room.remove": (0.8, _remove_or_ban),
    "room.ban": (0.6, _remove_or_ban),
    "room.unban": (0.6, _unban),
    "room.role": (0.9, _change_role),
    "room.members": (0.6, _members),
    "history": (1, _history),
    "sync": (1, _sync),
    "rooms": (0.5, _rooms),
    "rooms.public": (0.5, _public_rooms),
    "room.get": (1, _get),
    "mark": (2, _mark),
    "unread": (0.3, _unread),
    "profiles": (0.4, _profiles),
    "block": (0.3, _block),
    "unblock": (0.6, _block),
    "blocks": (0.2, _blocks),
    "people": (0.3, _people),
    "typing": (2, _typing),
    "presence": (0.8, _presence),
    "presence.set": (0.6, _set_presence),
    "auth.refresh": (2.5, _refresh),
}
"""How often each command is given, relative to the others, and its generator. A new command needs a row here."""
