"""Messages, and what may become of them."""

from typing import TYPE_CHECKING

from ...ids import UserId, private_room_id
from ...protocol import Object

if TYPE_CHECKING:
    from .workload import Workload

EMOJI = ("👍", "❤", "🎉")


def send(work: "Workload", user: UserId) -> Object:
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


def edit(work: "Workload", user: UserId) -> Object:
    room = work.room(user)
    seq = work.message(room, by=user if work.random.random() < 0.8 else None)
    seen = work.world.truth.versions.get(room, {}).get(seq, 1)
    version = seen if work.random.random() < 0.8 else work.random.randint(1, 3)
    return work.maybe_keyed({"room": room, "seq": seq, "version": version, "body": work.word()})


def delete(work: "Workload", user: UserId) -> Object:
    room = work.room(user)
    return work.maybe_keyed({"room": room, "seq": work.message(room, by=user if work.random.random() < 0.6 else None)})


def react(work: "Workload", user: UserId) -> Object:
    room = work.room(user)
    data = {"emoji": work.random.choice(EMOJI), "on": work.random.random() < 0.7}
    return work.maybe_keyed({"room": room, "seq": work.message(room), **data})
