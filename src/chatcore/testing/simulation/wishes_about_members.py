"""Who belongs to a room, what they are in it, and what it is called."""

from typing import TYPE_CHECKING

from ...domain.entries import Standing
from ...ids import RoomId, UserId
from ...protocol import Object

if TYPE_CHECKING:
    from .workload import Workload


def join(work: "Workload", user: UserId) -> Object:
    return work.maybe_keyed({"room": work.open_room(user)})


def leave(work: "Workload", user: UserId) -> Object:
    return work.maybe_keyed({"room": work.room(user)})


def invite(work: "Workload", user: UserId) -> Object:
    return work.maybe_keyed({"room": work.led_room(user), "user": work.user()})


def remove(work: "Workload", user: UserId) -> Object:
    room = work.led_room(user)
    return work.maybe_keyed(_with_reason(work, {"room": room, "user": _somebody(work, room, "member", "invited")}))


def ban(work: "Workload", user: UserId) -> Object:
    room = work.led_room(user)
    return work.maybe_keyed(_with_reason(work, {"room": room, "user": _somebody(work, room, "member", "invited")}))


def unban(work: "Workload", user: UserId) -> Object:
    room = work.led_room(user)
    return work.maybe_keyed({"room": room, "user": _somebody(work, room, "banned")})


def change_role(work: "Workload", user: UserId) -> Object:
    room = work.led_room(user)
    role = work.random.choice(("owner", "admin", "member"))
    return work.maybe_keyed({"room": room, "user": _somebody(work, room, "member"), "role": role})


def update(work: "Workload", user: UserId) -> Object:
    title = work.word() if work.random.random() < 0.8 else "the same"
    return work.maybe_keyed({"room": work.led_room(user), "title": title})


def _somebody(work: "Workload", room: RoomId, *standings: Standing) -> UserId:
    """Mostly one of those who stand so to the room."""
    state = work.world.truth.states.get(room)
    users = [user for user, one in state.members.items() if one.standing in standings] if state else []
    return work.random.choice(users) if users and work.random.random() < 0.85 else work.user()


def _with_reason(work: "Workload", data: Object) -> Object:
    return data | {"reason": work.word()} if work.random.random() < 0.3 else data
