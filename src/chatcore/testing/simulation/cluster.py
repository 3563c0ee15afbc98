"""The nodes, and the lines that clients have to them."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial

from ...chat import Chat
from ...errors import ChatError, Unavailable
from ...ids import UserId
from ...ports.directory import Profile
from ...ports.store import Store
from .attempts import Attempts
from .bus import BusWorld, FaultyBus
from .client import Client
from .climate import NOBODY
from .line import Line
from .owners import Owner
from .store import FaultyStore, StoreWorld
from .tokens import authenticate
from .world import World

SKEW_S = 3600
RESTART_S = 2
GONE_S = 5


class Node:
    """One life of one node: a Chat, and everything that runs in its process."""

    def __init__(self, world: World, store: FaultyStore, bus: BusWorld, number: int) -> None:
        self.number = number
        self.owner = Owner()
        self.store = store
        self.lines: dict[Line, asyncio.Task[None]] = {}
        self.clock = partial(world.clock, world.random.uniform(-SKEW_S, SKEW_S))
        self.chat = Chat(
            store,
            bus=FaultyBus(bus, self.owner),
            directory=partial(_directory, world),
            clock=self.clock,
            new_id=world.new_id,
            uniform=world.random.uniform,
        )


async def _directory(world: World, users: Collection[UserId]) -> Mapping[UserId, Profile]:
    if world.faults.happens("directory: fails"):
        raise Unavailable
    if world.faults.happens("directory: slow"):
        await asyncio.sleep(world.random.uniform(0, 1.9))
    return {user: Profile() for user in users if user != NOBODY}


class Cluster:
    """Some nodes on one store and one bus. A place is None while its node is down."""

    def __init__(self, world: World, store: Store) -> None:
        self.world = world
        self.attempts = Attempts(world)
        self.store = StoreWorld(world, store)
        self.bus = BusWorld(world)
        self.nodes: list[Node | None] = [None] * world.climate.nodes
        self.lines: list[Line] = []
        self._changed = asyncio.Event()

    @property
    def up(self) -> list[Node]:
        return [node for node in self.nodes if node]

    def any(self, *, but: Node | None = None) -> Node | None:
        """A node that is up, if one is; another one than ``but``, if there is another."""
        nodes = [node for node in self.up if node is not but] or self.up
        return self.world.random.choice(nodes) if nodes else None

    # Nodes come and go.

    def start(self, number: int) -> None:
        node = Node(self.world, FaultyStore(self.store), self.bus, number)
        node.owner.start(self._start(node))

    async def _start(self, node: Node) -> None:
        try:
            await node.chat.__aenter__()
        except ChatError:
            self.world.later(self.world.random.random(), self.start, node.number)
            return
        self.nodes[node.number] = node
        if node.store.epoch != self.world.epoch:
            self.crash(node)
            return
        self._changed.set()
        self.world.tell("node %s is up", node.number)

    async def all_up(self) -> None:
        while None in self.nodes:
            self._changed.clear()
            await self._changed.wait()

    def crash(self, node: Node) -> None:
        """The process ends here and now; another takes its place."""
        self.world.tell("node %s crashes", node.number)
        self.nodes[node.number] = None
        self.bus.listeners.pop(node.owner, None)
        node.owner.kill()
        for line in tuple(node.lines):
            line.end(abruptly=self.world.random.random() < 0.5)
        self.world.later(self.world.random.uniform(0, RESTART_S), self.start, node.number)

    def stop(self, node: Node, *, again: bool = True) -> asyncio.Task[None]:
        """The process is asked to end; another takes its place."""
        self.world.tell("node %s stops", node.number)
        self.nodes[node.number] = None
        node.owner.ending = True
        return node.owner.start(self._stop(node, again=again))

    async def _stop(self, node: Node, *, again: bool) -> None:
        await node.chat.__aexit__(None, None, None)
        self.world.later(GONE_S, self._gone, node)
        if again:
            self.world.later(self.world.random.uniform(0, RESTART_S), self.start, node.number)

    def _gone(self, node: Node) -> None:
        for task in node.owner.living():
            self.world.fault(f"node {node.number} has stopped, and {task} still runs")

    # Clients come and go.

    def connect(self, client: Client) -> Line | None:
        """A line from the client to some node."""
        node = self.any()
        if node is None:
            return None
        line = Line(self.world, self.attempts, node.owner, client.user, client.hear)
        self.lines.append(line)
        node.lines[line] = node.owner.start(self._serve(node, line, client.device))
        return line

    async def _serve(self, node: Node, line: Line, device: str) -> None:
        """What a transport does."""
        try:
            async with node.chat.connect(
                line,
                user=line.user,
                device=device,
                expires_at=node.clock() + timedelta(seconds=line.lasts_s) if line.lasts_s else None,
                authenticate=partial(authenticate, self.world, line.user, node.clock),
            ) as socket:
                while message := await line.next():
                    number, event, data = message
                    attempt = line.begin(event, data, node.owner)
                    await socket.receive(event, data, partial(line.answer, number, attempt))
                    attempt.queued = True
        except ChatError:
            self.world.counts["connect: refused"] += 1
        except RuntimeError:
            if not node.owner.dead:
                raise
        finally:
            node.lines.pop(line, None)
            line.end()

    def abandon(self, line: Line, *, at_once: bool) -> None:
        """The client has gone; the node notices, at once or after a while."""
        line.cut()
        notice: Callable[[], None] = partial(self._notice, line)
        self.world.later(0 if at_once else self.world.random.uniform(0, 5), notice)

    def _notice(self, line: Line) -> None:
        for node in self.up:
            if task := node.lines.pop(line, None):
                task.cancel()
                line.end()
