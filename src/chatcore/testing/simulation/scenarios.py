"""Commands and faults that belong together: each scenario causes a race that is rare in random commands.

A scenario returns how many commands it gives.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ...ids import RoomId, UserId, created_room_id, private_room_id
from ...protocol import Object
from .clients import Client
from .driver import Driver
from .workload import Request

Scenario: TypeAlias = Callable[[Driver], int]

OFFLINE_S = 3
FLOOD = 220
"""Messages of a flood: more than the answer of a `sync` holds."""
CRASH_SHARE = 0.2
AWAY_MAX_S = 4
COMMANDS_AT_STOP = 3
TYPING_STEPS = 4
SHORT_ACCESS_S, LONG_ACCESS_S = 4, 600


# Parts of scenarios.


def _soon(driver: Driver, function: Callable[[], None]) -> None:
    """Call ``function`` at once or within the time that a message takes."""
    driver.world.call_later(driver.world.random.choice((0, 0, driver.world.delay())), function)


def _two_users(driver: Driver) -> tuple[UserId, UserId]:
    first, second = driver.world.random.sample(list(driver.world.users), 2)
    return first, second


def _new_group(driver: Driver, owner: UserId, member: UserId) -> tuple[RoomId, Object]:
    """Return the id of a group that does not exist yet, and the `room.create` that creates it."""
    key = driver.workload.key()
    data = {"key": key, "kind": "group", "title": driver.workload.word(), "members": [member]}
    return created_room_id(owner, key), data


def _new_message(driver: Driver, **fields: object) -> Object:
    """Return a `message.send` with a new key and a new body."""
    return {**fields, "key": driver.workload.key(), "body": driver.workload.word()}


def _run_in_order(
    driver: Driver, steps: Sequence[tuple[UserId, Request]], between: Callable[[], None] | None = None
) -> None:
    """Give each command as soon as the previous command has succeeded, at any node. Call ``between`` in between."""
    if not steps:
        return
    (user, (name, data)), *others = steps

    def go_on(_: Object) -> None:
        if between and others:
            between()
        _run_in_order(driver, others, between)

    driver.call(user, name, {"key": driver.workload.key(), **data}, on_success=go_on)


def _reconnect_one(driver: Driver, user: UserId, room: RoomId) -> None:
    client = driver.world.random.choice(driver.clients_of(user))
    client.disconnect(half_open=False)
    _soon(driver, client.go_online)


def _sync_one(driver: Driver, user: UserId, room: RoomId) -> None:
    client = driver.world.random.choice(driver.clients_of(user))
    _soon(driver, lambda: client.sync([room]))


def _reconnect_all(driver: Driver, user: UserId) -> None:
    for client in driver.clients_of(user):
        client.disconnect(half_open=False)
        _soon(driver, client.go_online)


# Memberships.


def _joined_while_connecting(driver: Driver) -> int:
    """A user becomes a member while the user's devices connect again."""
    owner, member = _two_users(driver)
    _, data = _new_group(driver, owner, member)
    _reconnect_all(driver, member)
    _soon(driver, lambda: driver.call(owner, "room.create", data))
    return 1


def _joined_while_syncing(driver: Driver) -> int:
    """A user's devices sync a room that is just being created with the user as a member."""
    owner, member = _two_users(driver)
    room, data = _new_group(driver, owner, member)
    for client in driver.clients_of(member):
        _soon(driver, lambda client=client: client.sync([room]))  # type: ignore[misc]
    _soon(driver, lambda: driver.call(owner, "room.create", data))
    return 2


def _used_at_once(driver: Driver) -> int:
    """A new member writes to the room at another node at once, and gets a reply at the first."""
    owner, member = _two_users(driver)
    room, data = _new_group(driver, owner, member)
    node = driver.cluster.any_node()

    def write(_: Object) -> None:
        message = _new_message(driver, room=room)
        driver.call(member, "message.send", message, other_than=node, on_success=reply)
        driver.call(member, "history", {"room": room}, other_than=node)

    def reply(answer: Object) -> None:
        message = _new_message(driver, room=room) | {"reply_to": answer["seq"]}
        driver.call(owner, "message.send", message, at=node)

    driver.call(owner, "room.create", data, at=node, on_success=write)
    return 4


def _joined_twice(driver: Driver) -> int:
    """A user joins a public room at one node, and again at another node that may not know it yet."""
    owner, guest = _two_users(driver)
    room, data = _new_group(driver, owner, owner)
    node = driver.cluster.any_node()
    join: Object = {"room": room, "key": driver.workload.key()}

    def join_again(_: Object) -> None:
        driver.call(guest, "room.join", join, other_than=node)
        driver.call(guest, "room.join", {"room": room}, other_than=node)

    def join_first(_: Object) -> None:
        driver.call(guest, "room.join", join, at=node, on_success=join_again)

    driver.call(owner, "room.create", data | {"kind": "public"}, at=node, on_success=join_first)
    return 4


def _left_while_connecting(driver: Driver) -> int:
    """A membership ends, and perhaps begins again, while a device of the member connects."""
    return _end_membership(driver, _reconnect_one)


def _left_while_syncing(driver: Driver) -> int:
    """A membership ends, and perhaps begins again, while a device of the member syncs the room."""
    return _end_membership(driver, _sync_one)


def _end_membership(driver: Driver, between: Callable[[Driver, UserId, RoomId], None]) -> int:
    owner, member = _two_users(driver)
    room, data = _new_group(driver, owner, member)
    target: Object = {"room": room, "user": member}
    end = driver.world.random.choice(
        (
            ((owner, ("room.remove", target)),),
            ((owner, ("room.ban", target)), (owner, ("room.unban", target))),
            ((member, ("room.leave", {"room": room})),),
        )
    )
    begin: Sequence[tuple[UserId, Request]] = (
        (owner, ("room.invite", target)),
        (member, ("room.join", {"room": room})),
    )
    begin = begin[: driver.world.random.randint(0, 2)]
    message: Request = ("message.send", {"room": room, "body": driver.workload.word()})
    steps = [(owner, ("room.create", data)), *end, *begin, (owner, message)]
    _run_in_order(driver, steps, between=lambda: between(driver, member, room))
    return len(steps)


def _invited_while_connecting(driver: Driver) -> int:
    """A user is invited, and the invitation perhaps withdrawn, while a device of the user connects."""
    return _invite(driver, _reconnect_one)


def _invited_while_syncing(driver: Driver) -> int:
    """A user is invited, and the invitation perhaps withdrawn, while a device of the user syncs the room."""
    return _invite(driver, _sync_one)


def _invite(driver: Driver, between: Callable[[Driver, UserId, RoomId], None]) -> int:
    owner, guest = _two_users(driver)
    room, data = _new_group(driver, owner, owner)
    target: Object = {"room": room, "user": guest}
    steps: list[tuple[UserId, Request]] = [
        (owner, ("room.create", data)),
        (owner, ("room.invite", target)),
        (owner, ("room.remove", target)),
        (owner, ("room.invite", target)),
    ]
    steps = steps[: driver.world.random.randint(2, 4)]
    _run_in_order(driver, steps, between=lambda: between(driver, guest, room))
    return len(steps)


# Messages.


def _same_key_at_once(driver: Driver) -> int:
    """A key is used several times at once, with one content or with several."""
    user, peer = _two_users(driver)
    message = _new_message(driver, to=peer)
    for _ in range(2):
        is_other = driver.world.random.random() < 0.5
        data = message | {"body": driver.workload.word()} if is_other else message
        _soon(driver, lambda data=data: driver.command(user, "message.send", data))  # type: ignore[misc]
    driver.command(user, "message.send", message)
    return 3


def _in_a_row(driver: Driver) -> int:
    """A socket sends several commands to one room at once. Some are refused, and none may overtake another."""
    user, peer = _two_users(driver)
    count = driver.world.random.randint(3, 10)
    client = driver.world.random.choice(driver.clients_of(user))
    for _ in range(count):
        message = _new_message(driver, to=peer)
        if driver.world.random.random() < 0.3:
            message["reply_to"] = 100_000
        client.command("message.send", message)
    return count


def _changed_at_once(driver: Driver) -> int:
    """A message is edited, deleted and reacted to at once, at several nodes, all from its first version."""
    author, peer = _two_users(driver)
    random, work = driver.world.random, driver.workload

    def change(answer: Object) -> None:
        target = {"room": answer["room"], "seq": answer["seq"]}
        changes: list[Request] = [
            ("message.edit", target | {"version": 1, "body": work.word()}),
            ("message.edit", target | {"version": 1, "body": work.word()}),
            ("message.react", target | {"emoji": "👍", "on": True}),
            ("message.react", target | {"emoji": "👍", "on": False}),
            ("message.delete", target),
        ]
        for name, data in random.sample(changes, 3):
            user = peer if name == "message.react" else author
            driver.call(user, name, data | {"key": work.key()})

    driver.call(author, "message.send", _new_message(driver, to=peer), on_success=change)
    return 4


def _edited_and_deleted(driver: Driver) -> int:
    """A message is edited and deleted, and all three commands are repeated at other nodes with their keys."""
    author, peer = _two_users(driver)
    work = driver.workload

    def change(answer: Object) -> None:
        target = {"room": answer["room"], "seq": answer["seq"]}
        edit: Request = ("message.edit", target | {"version": 1, "body": work.word(), "key": work.key()})
        delete: Request = ("message.delete", target | {"key": work.key()})
        requests = (edit, delete, edit, ("message.send", message), delete)
        _run_in_order(driver, [(author, request) for request in requests])

    message = _new_message(driver, to=peer)
    driver.call(author, "message.send", message, on_success=change)
    return 6


def _marked_at_once(driver: Driver) -> int:
    """All devices of a user mark what they have read or what is unread again, while messages arrive."""
    author, reader = _two_users(driver)
    random, clients = driver.world.random, driver.clients_of(reader)

    def mark(answer: Object) -> None:
        for client in clients:
            seq = random.randint(1, answer["seq"])
            data = {"room": answer["room"], random.choice(("read", "read", "unread_from")): seq}
            _soon(driver, lambda client=client, data=data: client.command("mark", data))  # type: ignore[misc]

    for _ in range(2):
        driver.call(author, "message.send", _new_message(driver, to=reader), on_success=mark)
    return 2 + 2 * len(clients)


def _flood(driver: Driver) -> int:
    """More messages arrive than a `sync` answers, so that devices that were offline must page."""
    user, peer = _two_users(driver)
    room, world = private_room_id(user, peer), driver.world
    for client in driver.clients_of(peer):
        client.go_offline()
        world.call_later(OFFLINE_S, client.go_online)
    for _ in range(FLOOD):
        driver.call(user, "message.send", _new_message(driver, to=peer))
    cursors: Object = {"cursors": {room: {"seq": 1, "epoch": world.epoch}}}
    for member in (user, peer):
        world.call_later(OFFLINE_S, driver.call, member, "sync", cursors)
    return FLOOD + 2


# Blocks.


def _blocked_amid_messages(driver: Driver) -> int:
    """A user blocks another one, invites, and is invited, while both write. Sometimes the block ends again."""
    user, peer = _two_users(driver)
    world, node = driver.world, driver.cluster.any_node()

    def blocked(_: Object) -> None:
        for at in (node, None, None):
            driver.call(peer, "message.send", _new_message(driver, to=user), at=at)
        driver.call(user, "message.send", _new_message(driver, to=peer))
        for owner, invited in ((user, peer), (peer, user)):
            room, data = _new_group(driver, owner, owner)
            invitation: Request = ("room.invite", {"room": room, "user": invited})
            _run_in_order(driver, [(owner, ("room.create", data)), (owner, invitation)])
        if world.random.random() < 0.5:
            _soon(driver, lambda: driver.call(user, "unblock", {"user": peer}))

    for _ in range(2):
        driver.call(peer, "message.send", _new_message(driver, to=user), at=node)
    _soon(driver, lambda: driver.call(user, "block", {"user": peer}, at=node, on_success=blocked))
    return 12


# Public rooms.


def _found_amid_changes(driver: Driver) -> int:
    """Users look for a public room, which gets another title, bans one of them, and loses and gets its last member."""
    owner, other = _two_users(driver)
    key, titles = driver.workload.key(), [driver.workload.word() for _ in range(2)]
    room = created_room_id(owner, key)

    def look() -> None:
        for user in (owner, other):
            for prefix in titles:
                driver.call(user, "rooms.public", {"prefix": prefix})

    steps: Sequence[tuple[UserId, Request]] = [
        (owner, ("room.create", {"key": key, "kind": "public", "title": titles[0]})),
        (owner, ("room.update", {"room": room, "title": titles[1]})),
        (owner, ("room.ban", {"room": room, "user": other})),
        (owner, ("room.unban", {"room": room, "user": other})),
        (owner, ("room.leave", {"room": room})),
        (other, ("room.join", {"room": room})),
        (other, ("room.leave", {"room": room})),
    ]
    _run_in_order(driver, steps, look)
    return 5 * len(steps)


# Presence.


def _watched_while_leaving(driver: Driver) -> int:
    """A user watches another one, whose devices leave, come back at other nodes, and are away; perhaps with a block."""
    watcher, watched = _two_users(driver)
    world = driver.world
    for client in driver.clients_of(watcher):
        client.command("presence", {"users": [watched, watcher]})
    driver.call(watched, "message.send", _new_message(driver, to=watcher))
    for client in driver.clients_of(watched):
        if world.random.random() < 0.5:
            _soon(driver, lambda client=client: client.command("presence.set", {"state": "away"}))  # type: ignore[misc]
        else:
            client.go_offline()
            world.call_later(world.random.uniform(0, AWAY_MAX_S), client.go_online)
    if world.random.random() < 0.3:
        _soon(driver, lambda: driver.call(watched, "block", {"user": watcher}))
        world.call_later(world.random.uniform(0, AWAY_MAX_S), driver.call, watched, "unblock", {"user": watcher})
    return 3


# Typing.


def _typed_meanwhile(driver: Driver) -> int:
    """Two members type in a new group while devices sync or connect, and while one writes, is blocked or removed."""
    owner, member = _two_users(driver)
    room, data = _new_group(driver, owner, member)
    random, target = driver.world.random, {"user": member}
    steps: list[Callable[[], None]] = [
        lambda: _say_typing(driver, owner, room, on=True),
        lambda: _say_typing(driver, member, room, on=True),
        lambda: _say_typing(driver, member, room, on=False),
        lambda: _sync_one(driver, owner, room),
        lambda: _reconnect_one(driver, owner, room),
        lambda: driver.call(member, "message.send", _new_message(driver, room=room)),
        lambda: driver.call(owner, "block", target),
        lambda: driver.call(owner, "room.remove", {"room": room, "key": driver.workload.key(), **target}),
    ]

    def type_on(_: Object) -> None:
        _say_typing(driver, member, room, on=True)
        for step in random.sample(steps, TYPING_STEPS):
            driver.world.call_later(random.random(), step)

    driver.call(owner, "room.create", data, on_success=type_on)
    return 2 + TYPING_STEPS


def _say_typing(driver: Driver, user: UserId, room: RoomId, *, on: bool) -> None:
    for client in driver.clients_of(user):
        client.command("typing", {"room": room, "on": on})


# Sockets.


def _closed_while_connecting(driver: Driver) -> int:
    """The host closes a socket or a session while the user's devices connect, and a node may crash."""
    world = driver.world
    user = world.random.choice(world.users)
    _reconnect_all(driver, user)
    client = world.random.choice(driver.clients_of(user))
    world.call_later(world.random.choice((0, world.delay(), world.random.random())), _close, driver, client)
    if world.random.random() < CRASH_SHARE:
        _soon(driver, driver.crash_node)
    return 1


def _close(driver: Driver, client: Client) -> None:
    node = driver.cluster.any_node()
    if client.connection and driver.world.random.random() < 0.5:
        driver.cluster.closer.kick(client.user, client.connection.id, node)
    else:
        driver.end_session(client, node)


def _expired_unseen(driver: Driver) -> int:
    """The access of a device ends while its node is blocked, or because the clock of its node jumps."""
    world, blocked = driver.world, driver.world.random.random() < 0.5
    client = driver.any_client()
    client.access_s = SHORT_ACCESS_S if blocked else LONG_ACCESS_S
    client.disconnect(half_open=False)
    client.go_online()
    client.access_s = None

    def pass_the_end() -> None:
        if node := driver.cluster.node_of(client.connection):
            if blocked:
                node.block(2 * SHORT_ACCESS_S)
            else:
                node.jump_clock(2 * LONG_ACCESS_S)

    world.call_later(world.random.uniform(0, SHORT_ACCESS_S), pass_the_end)
    return 1


def _blocked_while_stopping(driver: Driver) -> int:
    """A node stops with commands in flight, and is blocked beyond all of their deadlines."""
    world, node = driver.world, driver.cluster.any_node()
    user, peer = _two_users(driver)
    for _ in range(COMMANDS_AT_STOP):
        driver.call(user, "message.send", _new_message(driver, to=peer), at=node)
    if node:
        driver.cluster.stop(node)
        world.call_later(world.delay(), node.block, world.random.uniform(4, 8))
    return COMMANDS_AT_STOP


SCENARIOS: Mapping[str, tuple[float, Scenario]] = {
    "joined while connecting": (6, _joined_while_connecting),
    "joined while syncing": (6, _joined_while_syncing),
    "used at once": (2, _used_at_once),
    "joined twice": (2, _joined_twice),
    "same key at once": (2, _same_key_at_once),
    "in a row": (2, _in_a_row),
    "left while connecting": (2, _left_while_connecting),
    "left while syncing": (2, _left_while_syncing),
    "invited while connecting": (1, _invited_while_connecting),
    "invited while syncing": (1, _invited_while_syncing),
    "changed at once": (2, _changed_at_once),
    "edited and deleted": (1, _edited_and_deleted),
    "marked at once": (1, _marked_at_once),
    "blocked amid messages": (1, _blocked_amid_messages),
    "found amid changes": (1, _found_amid_changes),
    "watched while leaving": (1, _watched_while_leaving),
    "typed meanwhile": (2, _typed_meanwhile),
    "closed while connecting": (1.5, _closed_while_connecting),
    "expired unseen": (2.5, _expired_unseen),
    "blocked while stopping": (1.5, _blocked_while_stopping),
    "flood": (0.08, _flood),
}
"""How often each scenario is played, relative to the others, and the scenario."""


def play(name: str, driver: Driver) -> int:
    """Play a scenario. Returns how many commands it gives."""
    driver.world.counts[f"scenario: {name}"] += 1
    driver.world.trace("scenario: %s", name)
    return SCENARIOS[name][1](driver)
