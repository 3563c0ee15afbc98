"""Rooms to be made and looked at, what was said in them, and how far one has read."""

from typing import TYPE_CHECKING

from ...ids import UserId
from ...protocol import Object
from .host import TOKENS

if TYPE_CHECKING:
    from .workload import Workload


def create(work: "Workload", user: UserId) -> Object:
    members = [work.user() for _ in range(work.random.randint(0, 2))]
    return {
        "key": work.key(),
        "kind": work.random.choice(("group", "public", "public")),
        "title": work.word(),
        "members": members,
    }


def get(work: "Workload", user: UserId) -> Object:
    return {"room": work.room(user)}


def rooms(work: "Workload", user: UserId) -> Object:
    return {"limit": work.random.choice((1, 2, 50))}


def members(work: "Workload", user: UserId) -> Object:
    return {"room": work.room(user), "limit": work.random.choice((1, 2, 50))}


def history(work: "Workload", user: UserId) -> Object:
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


def sync(work: "Workload", user: UserId) -> Object:
    """Cursors of somebody who was away; over a socket only ever through `Replica.sync`."""
    named = {work.room(user) for _ in range(work.random.randint(1, 4))}
    return {"cursors": {room: work.cursor(room) for room in sorted(named)}}


def mark(work: "Workload", user: UserId) -> Object:
    data: Object = {"room": work.room(user)}
    for name, often in (("read", 0.6), ("delivered", 0.3), ("unread_from", 0.1)):
        if work.random.random() < often:
            data[name] = work.seq(data["room"])
    if work.random.random() < 0.15:
        data["muted"] = work.random.random() < 0.5
    return data


def refresh(work: "Workload", user: UserId) -> Object:
    return {"token": work.random.choice(TOKENS)}
