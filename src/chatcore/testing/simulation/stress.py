"""Worlds under stress: each has a load or a size that ordinary worlds lack. Most continue with ordinary commands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from attrs import evolve, frozen

from ...ids import RoomId, UserId, created_room_id, private_room_id
from ...protocol import Object
from .clients import Client
from .driver import Driver
from .profile import WorldProfile
from .scenarios import play

ROOMS = 60
"""More rooms than the 50 that `ready` lists."""
SOCKETS = 100
MEMBERS = 230
"""More than a page of `room.members` holds, and more than markers are shown to. Times ``large``: the most of a room."""
QUIET_ROOMS = 3
ENTRIES = 1_100
"""More entries than a page of the change feed holds."""
BODIES = 50
"""More messages of the largest size than a page of `history` or the answer of a `sync` holds."""
BODY_BYTES_MAX = 16_384
LATENCY_S = 0.1
"""The most seconds that a call of the store takes under sustained load."""
ARRIVALS_S = 0.02
"""The mean seconds between two commands under sustained load: some five arrive during each call of the store."""
OUTAGE_S = (5.5, 8)
ORDINARY = 30

Play: TypeAlias = Callable[[Driver, float], Awaitable[None]]


@frozen
class Stress:
    """A stress of a world.

    Attributes:
        play: Puts the world under stress. Its second argument is the scale.
        large: The scale in the long campaigns.
        adapt_profile: Changes the profile that the seed has drawn.
        ordinary: How many ordinary commands follow.
    """

    play: Play
    large: float
    adapt_profile: Callable[[WorldProfile], WorldProfile] = lambda profile: profile
    ordinary: int = ORDINARY


async def _sustained_load(driver: Driver, scale: float) -> None:
    """Commands arrive faster than the store answers: before, during and after an outage longer than a command waits."""
    world = driver.world
    users = list(world.users)
    room = await _create_room(driver, users[0], users)
    for client in driver.clients:
        client.go_online()
    await _send_messages(driver, room, 2 * scale)
    outage_s = world.random.uniform(*OUTAGE_S)
    driver.cluster.store.unavailable_until = world.now + outage_s
    world.outages.append((world.now, world.now + outage_s))
    await _send_messages(driver, room, outage_s + 6 * scale)


async def _send_messages(driver: Driver, room: RoomId, seconds: float) -> None:
    """Send messages to a room and to the private rooms of its members, over sockets and without."""
    world, work = driver.world, driver.workload
    end = world.now + seconds
    while world.now < end:
        await asyncio.sleep(world.random.expovariate(1 / ARRIVALS_S))
        user, other = world.random.sample(list(world.users), 2)
        message: Object = {"key": work.key(), "body": work.word()}
        target: Object = {"room": room} if world.random.random() < 0.8 else {"to": other}
        driver.command(user, "message.send", target | message)


async def _long_room(driver: Driver, scale: float) -> None:
    """A room grows by thousands of entries at once and quiet rooms by one, without hints and with a device offline."""
    world, work = driver.world, driver.workload
    author, reader = world.users[0], world.users[1]
    quiet_rooms = [await _create_room(driver, author, [author, reader]) for _ in range(QUIET_ROOMS)]
    for client in driver.clients:
        client.go_online()
    await asyncio.sleep(1)
    driver.clients_of(reader)[0].disconnect(half_open=False)
    node, count = driver.cluster.any_node(), int(ENTRIES * scale)

    def send_to_quiet_rooms(_: Object) -> None:
        for room in quiet_rooms:
            driver.call(author, "message.send", {"room": room, "key": work.key(), "body": work.word()}, at=node)

    for number in range(count):
        on_success = send_to_quiet_rooms if number == count - 1 else None
        message: Object = {"to": reader, "key": work.key(), "body": work.word()}
        driver.call(author, "message.send", message, at=node, on_success=on_success)
    await _all_answered(driver)
    room = private_room_id(author, reader)
    for anchor in ("oldest", "first_unread", count // 2):
        driver.call(reader, "history", {"room": room, "anchor": anchor, "after": 200})
    cursors: Object = {"cursors": {room: {"seq": 1, "epoch": world.epoch}}}
    driver.call(reader, "sync", cursors)
    driver.call(reader, "mark", {"room": room, "read": count // 2})
    play("flood", driver)


async def _large_bodies(driver: Driver, scale: float) -> None:
    """Messages have the largest size: pages of `history` end early, and a `sync` answers `gap`."""
    world, work = driver.world, driver.workload
    author, reader = world.users[0], world.users[1]
    room = await _create_room(driver, author, [author, reader])
    for client in driver.clients:
        client.go_online()
    for _ in range(int(BODIES * scale)):
        data = {"x": "y" * 8_000} if world.random.random() < 0.2 else None
        message: Object = {"room": room, "key": work.key(), "body": _large_body(driver)}
        driver.call(author, "message.send", message if data is None else message | {"data": data})
    await _all_answered(driver)
    for anchor in ("oldest", "newest", world.random.randint(1, int(BODIES * scale))):
        side = {"oldest": "after", "newest": "before"}.get(str(anchor))
        driver.call(reader, "history", {"room": room, "anchor": anchor} | ({side: 100} if side else {}))
    for seq in (1, int(BODIES * scale) - 3):
        driver.call(reader, "sync", {"cursors": {room: {"seq": seq, "epoch": world.epoch}}})
    for client in driver.clients_of(reader):
        client.sync([room])


def _large_body(driver: Driver) -> str:
    """Return a body of up to the most bytes, of plain characters, of characters that JSON escapes, or of long ones."""
    random = driver.world.random
    size = BODY_BYTES_MAX if random.random() < 0.5 else random.randint(1, BODY_BYTES_MAX)
    text = random.choice(("a", "a", "a", "\x01", "\n", "é", "永", "👍"))
    return text * max(1, size // len(text.encode()))


async def _many_rooms(driver: Driver, scale: float) -> None:
    """A user has more rooms than `ready` lists, and messages arrive in all of them."""
    world, work = driver.world, driver.workload
    owner, member = world.users[0], world.users[1]
    rooms = [await _create_room(driver, owner, [owner, member], wait=False) for _ in range(int(ROOMS * scale))]
    await _all_answered(driver)
    for client in driver.clients:
        client.go_online()
    await asyncio.sleep(2)
    for room in world.random.sample(rooms, len(rooms)):
        driver.call(owner, "message.send", {"room": room, "key": work.key(), "body": work.word()})
    driver.call(member, "rooms", {"limit": 200})
    driver.call(member, "sync", {"cursors": {room: {"seq": 1, "epoch": world.epoch} for room in rooms[:400]}})


async def _many_sockets(driver: Driver, scale: float) -> None:
    """All devices of a user connect at the same time, while messages arrive in the user's room."""
    world, work = driver.world, driver.workload
    user, other = world.users[0], world.users[1]
    room = await _create_room(driver, other, [user, other])
    devices: list[Client] = []
    for number in range(int(SOCKETS * scale)):
        session = f"{user}'s session {number % 2}"
        devices.append(Client(world, driver.cluster, user, f"{user}-socket-{number}", session))
    driver.add_clients(devices)
    for step in range(6):
        for client in devices:
            if step == 0:
                client.go_online()
            elif step == 3:
                client.disconnect(half_open=False)
        for _ in range(3):
            driver.call(other, "message.send", {"room": room, "key": work.key(), "body": work.word()})
        await asyncio.sleep(world.random.uniform(0, 0.5))
    devices[0].command("mark", {"room": room, "read": 1})


async def _many_members(driver: Driver, scale: float) -> None:
    """A room has more members than markers are shown to, and more than a page of `room.members` holds."""
    world, work = driver.world, driver.workload
    owner = world.users[0]
    others = [f"member-{n:04}" for n in range(int(MEMBERS * scale))]
    room = await _create_room(driver, owner, [*world.users, *others[:80]], kind="public")
    for client in driver.clients:
        client.go_online()
    for user in others[80:]:
        driver.call(user, "room.join", {"room": room, "key": work.key()})
        if world.random.random() < 0.1:
            await asyncio.sleep(0.01)
    await _all_answered(driver)
    _page_members(driver, world.users[1], room)
    for user in (*world.users, *world.random.sample(others, 5)):
        driver.call(user, "message.send", {"room": room, "key": work.key(), "body": work.word()})
        driver.call(user, "mark", {"room": room, "read": world.random.randint(1, 5)})
        driver.call(user, "room.get", {"room": room})


def _page_members(driver: Driver, user: UserId, room: RoomId, after: str | None = None) -> None:
    """Page through the members of a room."""

    def next_page(answer: Object) -> None:
        if "next" in answer:
            _page_members(driver, user, room, answer["next"])

    data: Object = {"room": room, "limit": 200}
    driver.call(user, "room.members", data if after is None else data | {"after": after}, on_success=next_page)


async def _create_room(
    driver: Driver, owner: UserId, members: list[UserId], *, kind: str = "group", wait: bool = True
) -> RoomId:
    """Create a room with these members, and with ``wait`` return once it exists."""
    key = driver.workload.key()
    data: Object = {"key": key, "kind": kind, "title": driver.workload.word(), "members": members}
    driver.call(owner, "room.create", data)
    if wait:
        await _all_answered(driver)
    return created_room_id(owner, key)


async def _all_answered(driver: Driver) -> None:
    """Return once every caller has its answer."""
    for caller in driver.callers:
        await caller.finished.wait()


def _slow_store(profile: WorldProfile) -> WorldProfile:
    """Return a profile in which every call of the store takes time, and no fault occurs."""
    return evolve(profile, instant_share=0.0, delay_max_s=LATENCY_S, rates={})


def _lost_hints(profile: WorldProfile) -> WorldProfile:
    """Return a profile in which the store answers at once and most hints are lost, so that nodes poll for entries."""
    return evolve(profile, nodes=max(2, profile.nodes), instant_share=1.0, devices=3, rates={"hint: lost": 0.9})


def _late_answers(profile: WorldProfile) -> WorldProfile:
    """Return the profile with a store from which most answers are stale when they arrive."""
    return evolve(profile, rates={**profile.rates, "store: slow after": 0.8})


STRESSES: Mapping[str, Stress] = {
    "sustained load": Stress(_sustained_load, large=5, adapt_profile=_slow_store, ordinary=0),
    "long room": Stress(_long_room, large=5, adapt_profile=_lost_hints),
    "large bodies": Stress(_large_bodies, large=5),
    "many rooms": Stress(_many_rooms, large=10),
    "many sockets": Stress(_many_sockets, large=3, adapt_profile=_late_answers),
    "many members": Stress(_many_members, large=22),
}
