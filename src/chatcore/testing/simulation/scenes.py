"""Commands that belong together: each scene plays a race that chance alone would seldom bring about."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from ...ids import private_room_id
from ...protocol import Object
from .playing import group, pair, soon
from .scenes_of_members import (
    invited_while_connecting,
    invited_while_syncing,
    left_while_connecting,
    left_while_syncing,
)
from .scenes_of_messages import changed_at_once, read_along, taken_back
from .scenes_of_sockets import blocked_while_stopping, closed_while_connecting, expired_unseen

if TYPE_CHECKING:
    from .director import Director

Scene: TypeAlias = Callable[["Director"], int]
"""Plays, and tells how many commands it has given."""


def _joined_while_connecting(director: "Director") -> int:
    """Somebody is made a member while their devices come back."""
    owner, member = pair(director)
    _, data = group(director, owner, member)
    for client in director.of_user(member):
        client.lose(half_open=False)
        soon(director, client.come)
    soon(director, lambda: director.call(owner, "room.create", data))
    return 1


def _joined_while_syncing(director: "Director") -> int:
    """Somebody asks what was missed in a room that is only just being made for them."""
    owner, member = pair(director)
    room, data = group(director, owner, member)
    for client in director.of_user(member):
        soon(director, lambda client=client: client.sync([room]))  # type: ignore[misc]
    soon(director, lambda: director.call(owner, "room.create", data))
    return 2


def _used_at_once(director: "Director") -> int:
    """Somebody is made a member, or answered to, and at once makes use of it at another node."""
    owner, member = pair(director)
    room, data = group(director, owner, member)
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
    owner, guest = pair(director)
    room, data = group(director, owner, owner)
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
    user, peer = pair(director)
    said: Object = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
    for _ in range(2):
        other = director.world.random.random() < 0.5
        data = said | {"body": director.workload.word()} if other else said
        soon(director, lambda data=data: director.command(user, "message.send", data))  # type: ignore[misc]
    director.command(user, "message.send", said)
    return 3


def _in_a_row(director: "Director") -> int:
    """One socket sends a row of commands to one room; some must be refused, and none may overtake another."""
    user, peer = pair(director)
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
    user, peer = pair(director)
    room, world = private_room_id(user, peer), director.world
    for client in director.of_user(peer):
        client.go()
        world.later(AWAY_S, client.come)
    for _ in range(FLOOD):
        said = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
        director.call(user, "message.send", said)
    missed: Object = {"cursors": {room: {"seq": 1, "epoch": world.epoch}}}
    for one in (user, peer):
        world.later(AWAY_S, director.call, one, "sync", missed)
    return FLOOD + 2


AWAY_S = 3
FLOOD = 220
SCENES: Mapping[str, tuple[float, Scene]] = {
    "joined while connecting": (6, _joined_while_connecting),
    "joined while syncing": (6, _joined_while_syncing),
    "used at once": (2, _used_at_once),
    "joined twice": (2, _joined_twice),
    "same key at once": (2, _same_key_at_once),
    "in a row": (2, _in_a_row),
    "left while connecting": (2, left_while_connecting),
    "left while syncing": (2, left_while_syncing),
    "invited while connecting": (1, invited_while_connecting),
    "invited while syncing": (1, invited_while_syncing),
    "changed at once": (2, changed_at_once),
    "taken back": (1, taken_back),
    "read along": (1, read_along),
    "closed while connecting": (1.5, closed_while_connecting),
    "expired unseen": (2.5, expired_unseen),
    "blocked while stopping": (1.5, blocked_while_stopping),
    "flood": (0.08, _flood),
}


def play(name: str, director: "Director") -> int:
    """Play a scene; how many commands it has given."""
    director.world.counts[f"scene: {name}"] += 1
    director.world.tell("scene: %s", name)
    return SCENES[name][1](director)
