"""Commands that belong together: each scene plays a race that chance alone would seldom bring about."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from ...ids import RoomId, UserId, created_room_id
from ...protocol import Object

if TYPE_CHECKING:
    from .director import Director

Scene: TypeAlias = Callable[["Director"], int]
"""Plays, and tells how many commands it has given."""


def _soon(director: "Director", work: Callable[[], None]) -> None:
    """At once, or about when something else is under way."""
    director.world.later(director.world.random.choice((0, 0, director.world.delay())), work)


def _pair(director: "Director") -> tuple[UserId, UserId]:
    one, other = director.world.random.sample(list(director.world.users), 2)
    return one, other


def _group(director: "Director", owner: UserId, member: UserId) -> tuple[RoomId, Object]:
    """A room that is not there yet, and what creates it."""
    key = director.workload.key()
    data = {"key": key, "kind": "group", "title": director.workload.word(), "members": [member]}
    return created_room_id(owner, key), data


def _joined_while_connecting(director: "Director") -> int:
    """Somebody is made a member while their devices come back."""
    owner, member = _pair(director)
    _, data = _group(director, owner, member)
    for client in director.of_user(member):
        client.lose(half_open=False)
        _soon(director, client.come)
    _soon(director, lambda: director.call(owner, "room.create", data))
    return 1


def _joined_while_syncing(director: "Director") -> int:
    """Somebody asks what was missed in a room that is only just being made for them."""
    owner, member = _pair(director)
    room, data = _group(director, owner, member)
    for client in director.of_user(member):
        _soon(director, lambda client=client: client.sync([room]))  # type: ignore[misc]
    _soon(director, lambda: director.call(owner, "room.create", data))
    return 2


def _used_at_once(director: "Director") -> int:
    """Somebody is made a member, or answered to, and at once makes use of it at another node."""
    owner, member = _pair(director)
    room, data = _group(director, owner, member)
    node = director.cluster.any()

    def say(_: Object) -> None:
        said = {"room": room, "key": director.workload.key(), "body": director.workload.word()}
        director.call(member, "message.send", said, but=node, then=reply)
        director.call(member, "history", {"room": room}, but=node)

    def reply(answer: Object) -> None:
        said = {"room": room, "key": director.workload.key(), "body": director.workload.word()}
        director.call(owner, "message.send", said | {"reply_to": answer["seq"]}, at=node)

    director.call(owner, "room.create", data, at=node, then=say)
    return 4


def _joined_twice(director: "Director") -> int:
    """Somebody joins a public room at one node, and again at another before that has heard of it."""
    owner, guest = _pair(director)
    room, data = _group(director, owner, owner)
    node = director.cluster.any()
    join: Object = {"room": room, "key": director.workload.key()}

    def again(_: Object) -> None:
        director.call(guest, "room.join", join, but=node)
        director.call(guest, "room.join", {"room": room}, but=node)

    def first(_: Object) -> None:
        director.call(guest, "room.join", join, at=node, then=again)

    director.call(owner, "room.create", data | {"kind": "public"}, at=node, then=first)
    return 4


def _same_key_at_once(director: "Director") -> int:
    """One key on several ways at once, with one content or with another."""
    user, peer = _pair(director)
    said: Object = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
    for _ in range(2):
        other = director.world.random.random() < 0.5
        data = said | {"body": director.workload.word()} if other else said
        _soon(director, lambda data=data: director.command(user, "message.send", data))  # type: ignore[misc]
    director.command(user, "message.send", said)
    return 3


def _in_a_row(director: "Director") -> int:
    """One socket sends a row of commands to one room; some must be refused, and none may overtake another."""
    user, peer = _pair(director)
    count = director.world.random.randint(3, 10)
    client = director.world.random.choice(director.of_user(user))
    for _ in range(count):
        said: Object = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
        if director.world.random.random() < 0.3:
            said["reply_to"] = 100_000
        client.command("message.send", said)
    return count


def _flood(director: "Director") -> int:
    """More at once than a `sync` brings: those who were away have to page."""
    user, peer = _pair(director)
    for client in director.of_user(peer):
        client.lose(half_open=False)
    for _ in range(FLOOD):
        said = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
        director.call(user, "message.send", said)
    return FLOOD


FLOOD = 230
SCENES: Mapping[str, tuple[float, Scene]] = {
    "joined while connecting": (3, _joined_while_connecting),
    "joined while syncing": (3, _joined_while_syncing),
    "used at once": (2, _used_at_once),
    "joined twice": (2, _joined_twice),
    "same key at once": (2, _same_key_at_once),
    "in a row": (2, _in_a_row),
    "flood": (0.05, _flood),
}
