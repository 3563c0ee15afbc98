"""Worlds under load and worlds of great size. Each has what ordinary worlds lack, and a number of ordinary commands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

from ...ids import RoomId, UserId, created_room_id, private_room_id
from ...protocol import Object
from .client import Client
from .climate import Climate
from .scenes import play

if TYPE_CHECKING:
    from .director import Director

ROOMS = 60
"""More than the 50 that `ready` shows."""
SOCKETS = 100
MEMBERS = 230
"""More than one page of `room.members` holds, and than markers are shown to; a large room is full."""
QUIET = 3
ENTRIES = 1_100
"""More than one page of the change feed holds."""
BODIES = 50
"""Of these, a page of history and the answer of a `sync` hold a part."""
BODY_BYTES_MAX = 16_384
LATENCY_S = 0.1
ARRIVALS_S = 0.02
"""Seconds from one arrival to the next: some five for each call of the store."""
OUTAGE_S = (5.5, 8)
ORDINARY = 30

Play: TypeAlias = Callable[["Director", float], Awaitable[None]]


@frozen
class Stress:
    """What a world undergoes before its ordinary commands; ``climate`` changes the one that its seed has drawn."""

    play: Play
    large: float
    """How many times larger the long campaigns make it."""
    climate: Callable[[Climate], Climate] = lambda climate: climate
    ordinary: int = ORDINARY


async def _sustained_load(director: "Director", scale: float) -> None:
    """Commands arrive faster than the store answers, before, during and after an outage longer than a command waits."""
    world = director.world
    users = list(world.users)
    room = await _room(director, users[0], users)
    for client in director.clients:
        client.come()
    await _arrive(director, room, 2 * scale)
    outage_s = world.random.uniform(*OUTAGE_S)
    director.cluster.store.away_until = world.now + outage_s
    world.outages.append((world.now, world.now + outage_s))
    await _arrive(director, room, outage_s + 6 * scale)


async def _arrive(director: "Director", room: RoomId, seconds: float) -> None:
    """Messages arrive for so long at one room and at the private rooms of its members, over sockets and without."""
    world, work = director.world, director.workload
    end = world.now + seconds
    while world.now < end:
        await asyncio.sleep(world.random.expovariate(1 / ARRIVALS_S))
        user, other = world.random.sample(list(world.users), 2)
        said: Object = {"key": work.key(), "body": work.word()}
        where: Object = {"room": room} if world.random.random() < 0.8 else {"to": other}
        director.command(user, "message.send", where | said)


async def _long_room(director: "Director", scale: float) -> None:
    """A room grows by thousands of entries at once, and quiet ones by one, while nodes and clients look away."""
    world, work = director.world, director.workload
    author, reader = world.users[0], world.users[1]
    quiet = [await _room(director, author, [author, reader]) for _ in range(QUIET)]
    for client in director.clients:
        client.come()
    await asyncio.sleep(1)
    director.of_user(reader)[0].lose(half_open=False)
    node, count = director.cluster.any(), int(ENTRIES * scale)

    def say_in_quiet_rooms(_: Object) -> None:
        for room in quiet:
            director.call(author, "message.send", {"room": room, "key": work.key(), "body": work.word()}, at=node)

    for number in range(count):
        then = say_in_quiet_rooms if number == count - 1 else None
        said: Object = {"to": reader, "key": work.key(), "body": work.word()}
        director.call(author, "message.send", said, at=node, then=then)
    await _settled(director)
    room = private_room_id(author, reader)
    for anchor in ("oldest", "first_unread", count // 2):
        director.call(reader, "history", {"room": room, "anchor": anchor, "after": 200})
    missed: Object = {"cursors": {room: {"seq": 1, "epoch": world.epoch}}}
    director.call(reader, "sync", missed)
    director.call(reader, "mark", {"room": room, "read": count // 2})
    play("flood", director)


async def _large_bodies(director: "Director", scale: float) -> None:
    """Messages are as large as they may be: answers end early, and a `sync` tells a gap."""
    world, work = director.world, director.workload
    author, reader = world.users[0], world.users[1]
    room = await _room(director, author, [author, reader])
    for client in director.clients:
        client.come()
    for _ in range(int(BODIES * scale)):
        data = {"x": "y" * 8_000} if world.random.random() < 0.2 else None
        said: Object = {"room": room, "key": work.key(), "body": _body(director)}
        director.call(author, "message.send", said if data is None else said | {"data": data})
    await _settled(director)
    for anchor in ("oldest", "newest", world.random.randint(1, int(BODIES * scale))):
        side = {"oldest": "after", "newest": "before"}.get(str(anchor))
        director.call(reader, "history", {"room": room, "anchor": anchor} | ({side: 100} if side else {}))
    for seq in (1, int(BODIES * scale) - 3):
        director.call(reader, "sync", {"cursors": {room: {"seq": seq, "epoch": world.epoch}}})
    for client in director.of_user(reader):
        client.sync([room])


def _body(director: "Director") -> str:
    """A body of at most as many bytes as it may have: plain, escaped in JSON, or of characters of several bytes."""
    random = director.world.random
    size = BODY_BYTES_MAX if random.random() < 0.5 else random.randint(1, BODY_BYTES_MAX)
    text = random.choice(("a", "a", "a", "\x01", "\n", "é", "永", "👍"))
    return text * max(1, size // len(text.encode()))


async def _many_rooms(director: "Director", scale: float) -> None:
    """A user has more rooms than `ready` shows, and something is said in those that it leaves out."""
    world, work = director.world, director.workload
    owner, member = world.users[0], world.users[1]
    rooms = [await _room(director, owner, [owner, member], wait=False) for _ in range(int(ROOMS * scale))]
    await _settled(director)
    for client in director.clients:
        client.come()
    await asyncio.sleep(2)
    for room in world.random.sample(rooms, len(rooms)):
        director.call(owner, "message.send", {"room": room, "key": work.key(), "body": work.word()})
    director.call(member, "rooms", {"limit": 200})
    director.call(member, "sync", {"cursors": {room: {"seq": 1, "epoch": world.epoch} for room in rooms[:400]}})


async def _many_sockets(director: "Director", scale: float) -> None:
    """All devices of a user come at the same time, while something is said in the user's room."""
    world, work = director.world, director.workload
    user, other = world.users[0], world.users[1]
    room = await _room(director, other, [user, other])
    devices: list[Client] = []
    for number in range(int(SOCKETS * scale)):
        session = f"{user}'s session {number % 2}"
        devices.append(Client(world, director.cluster, user, f"{user}-socket-{number}", session))
    director.add(devices)
    for step in range(6):
        for client in devices:
            if step == 0:
                client.come()
            elif step == 3:
                client.lose(half_open=False)
        for _ in range(3):
            director.call(other, "message.send", {"room": room, "key": work.key(), "body": work.word()})
        await asyncio.sleep(world.random.uniform(0, 0.5))
    devices[0].command("mark", {"room": room, "read": 1})


async def _many_members(director: "Director", scale: float) -> None:
    """A room has more members than markers are shown to, and more than a page of them holds."""
    world, work = director.world, director.workload
    owner = world.users[0]
    others = [f"member-{n:04}" for n in range(int(MEMBERS * scale))]
    room = await _room(director, owner, [*world.users, *others[:80]], kind="public")
    for client in director.clients:
        client.come()
    for user in others[80:]:
        director.call(user, "room.join", {"room": room, "key": work.key()})
        if world.random.random() < 0.1:
            await asyncio.sleep(0.01)
    await _settled(director)
    pages = partial(_members_from, director, world.users[1], room)
    pages(None)
    for user in (*world.users, *world.random.sample(others, 5)):
        director.call(user, "message.send", {"room": room, "key": work.key(), "body": work.word()})
        director.call(user, "mark", {"room": room, "read": world.random.randint(1, 5)})
        director.call(user, "room.get", {"room": room})


def _members_from(director: "Director", user: UserId, room: RoomId, after: str | None) -> None:
    """Page through the members of a room."""

    def go_on(answer: Object) -> None:
        if "next" in answer:
            _members_from(director, user, room, answer["next"])

    asked: Object = {"room": room, "limit": 200}
    director.call(user, "room.members", asked if after is None else asked | {"after": after}, then=go_on)


async def _room(
    director: "Director", owner: UserId, members: list[UserId], *, kind: str = "group", wait: bool = True
) -> RoomId:
    """A new room with these members at once."""
    key = director.workload.key()
    data: Object = {"key": key, "kind": kind, "title": director.workload.word(), "members": members}
    director.call(owner, "room.create", data)
    if wait:
        await _settled(director)
    return created_room_id(owner, key)


async def _settled(director: "Director") -> None:
    """Return when every caller has its answer."""
    for caller in director.callers:
        await caller.ended.wait()


def _calm(climate: Climate) -> Climate:
    """Every call of the store takes its time, and nothing else goes wrong."""
    return evolve(climate, promptness=0.0, delay_s=LATENCY_S, rates={})


def _without_hints(climate: Climate) -> Climate:
    """The store answers at once, and most of what a node writes reaches the others by their sweeps."""
    return evolve(climate, nodes=max(2, climate.nodes), promptness=1.0, devices=3, rates={"hint: lost": 0.9})


def _with_late_answers(climate: Climate) -> Climate:
    """What the store answers to most calls is old when it arrives."""
    return evolve(climate, rates={**climate.rates, "store: slow after": 0.8})


STRESSES: Mapping[str, Stress] = {
    "sustained load": Stress(_sustained_load, large=5, climate=_calm, ordinary=0),
    "long room": Stress(_long_room, large=5, climate=_without_hints),
    "large bodies": Stress(_large_bodies, large=5),
    "many rooms": Stress(_many_rooms, large=10),
    "many sockets": Stress(_many_sockets, large=3, climate=_with_late_answers),
    "many members": Stress(_many_members, large=22),
}
