"""Races in which a host closes sockets while others open."""

from typing import TYPE_CHECKING

from .playing import pair, soon

if TYPE_CHECKING:
    from .client import Client
    from .director import Director


def closed_while_connecting(director: "Director") -> int:
    """A host closes a device's socket, or its session, while the user's devices come back, and a node may crash."""
    world = director.world
    clients = director.of_user(world.random.choice(world.users))
    for client in clients:
        client.lose(half_open=False)
        soon(director, client.come)
    closed = world.random.choice(clients)
    world.later(world.random.choice((0, world.delay(), world.random.random())), _close, director, closed)
    if world.random.random() < CRASHES:
        soon(director, director.crash)
    return 1


def blocked_while_stopping(director: "Director") -> int:
    """A node is asked to end with commands under way, and its event loop is blocked beyond all their deadlines."""
    world, node = director.world, director.cluster.any()
    user, peer = pair(director)
    for _ in range(COMMANDS):
        said = {"to": peer, "key": director.workload.key(), "body": director.workload.word()}
        director.call(user, "message.send", said, at=node)
    if node:
        director.cluster.stop(node)
        world.later(world.delay(), node.block, world.random.uniform(4, 8))
    return COMMANDS


def expired_unseen(director: "Director") -> int:
    """The clock of a node jumps past the end of a device's access, or the node is blocked beyond it."""
    world, blocked = director.world, director.world.random.random() < 0.5
    client = world.random.choice(director.clients)
    client.lasts_s = SOON_S if blocked else LONG_S
    client.lose(half_open=False)
    client.come()
    client.lasts_s = None

    def pass_the_end() -> None:
        if node := director.cluster.node_of(client.line):
            if blocked:
                node.block(2 * SOON_S)
            else:
                node.jump(2 * LONG_S)

    world.later(world.random.uniform(0, SOON_S), pass_the_end)
    return 1


def _close(director: "Director", client: "Client") -> None:
    node = director.cluster.any()
    if client.line and director.world.random.random() < 0.5:
        director.cluster.closings.kick(client.user, client.line.id, node)
    else:
        director.end_session(client, node)


CRASHES = 0.2
COMMANDS = 3
SOON_S, LONG_S = 4, 600
