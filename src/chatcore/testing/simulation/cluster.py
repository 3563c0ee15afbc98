"""The nodes, and the lines that clients have to them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from ...chat import Chat
from ...errors import ChatError
from ...ports.registry import SocketRegistry
from ...ports.store import Store
from .attempts import Attempts
from .bus import BusWorld, FaultyBus
from .client import Client
from .closings import Closings
from .faults import Injected
from .host import authenticate, canonical, directory
from .line import Line
from .owners import Owner, hold_back
from .registry import FaultyRegistry, RegistryWorld
from .store import FaultyStore, StoreWorld
from .world import World

SKEW_S = 3600
RESTART_S = 2
GONE_S = 10
"""A read that was under way at the stop may ask the store several times, for 2 s each."""
EXPIRED_S = 3
"""A node looks once a second at what has expired."""


class Node:
    """One life of one node: a Chat, and everything that runs in its process."""

    def __init__(self, world: World, store: StoreWorld, registry: RegistryWorld, bus: BusWorld, number: int) -> None:
        self.number = number
        self.owner = Owner()
        self.store = FaultyStore(store, self.owner)
        self.registry = FaultyRegistry(registry, self.owner)
        self.lines: dict[Line, asyncio.Task[None]] = {}
        self.skew_s = world.random.uniform(-SKEW_S, SKEW_S)
        self._world = world
        self._blocked_at = self._jumped_at = float("-inf")
        self.chat = Chat(
            self.store,
            bus=FaultyBus(bus, self.owner),
            registry=self.registry,
            directory=partial(directory, world, self.owner),
            canonical=partial(canonical, world, self.owner),
            clock=self.clock,
            new_id=world.new_id,
            uniform=world.random.uniform,
        )

    def clock(self) -> datetime:
        """Wall-clock time as this node has it."""
        return self._world.clock(self.skew_s)

    def block(self, seconds: float) -> None:
        """Nothing of this node runs for so long: a callback does not return, or the process is paused."""
        if self.owner.held is None and not self.owner.dead and not self._world.faults.over:
            self.owner.held = []
            self._world.blocked += 1
            self._world.loop.hold_back = hold_back
            self._world.later(seconds, self.release)

    def release(self) -> None:
        """The node runs on."""
        if self.owner.held is not None:
            self._world.loop.make_ready(self.owner.held)
            self.owner.held = None
            self._blocked_at = self.owner.failed_at = self._world.now
            self._world.blocked -= 1
            if not self._world.blocked:
                self._world.loop.hold_back = None
            self._expect_expiry()

    def jump(self, seconds: float) -> None:
        """Set the node's clock; what ends by the clock has ended a little later."""
        self.skew_s += seconds
        self._jumped_at = self._world.now
        self._expect_expiry()

    def _expect_expiry(self) -> None:
        self._world.later(EXPIRED_S, self._look_for_expired, self._world.now)

    def _look_for_expired(self, since: float) -> None:
        if self.owner.dead or max(self._jumped_at, self._blocked_at) > since or self.owner.held is not None:
            return
        late = self.clock() - timedelta(seconds=EXPIRED_S)
        for line in self.lines:
            if line.ready_at <= since and line.open and line.expires_at and line.expires_at < late:
                self._world.fault(f"{line} is open at {self.clock()} and expired at {line.expires_at}")

    def blocked_since(self, moment: float) -> bool:
        """Whether the node was blocked at ``moment`` or later."""
        return self.owner.held is not None or self._blocked_at >= moment

    def disturbed_since(self, moment: float) -> bool:
        """Whether at ``moment`` or later the node was blocked, or had trouble with the registry."""
        return self.blocked_since(moment) or self.registry.disturbed_since(moment)


class Cluster:
    """Some nodes on one store and one bus. A place is None while its node is down."""

    def __init__(self, world: World, store: Store, registry: SocketRegistry) -> None:
        self.world = world
        self.attempts = Attempts(world)
        self.store = StoreWorld(world, store)
        self.registry = RegistryWorld(world, registry)
        self.closings = Closings(world, self, self.registry)
        self.bus = BusWorld(world, self.closings.heard)
        self.nodes: list[Node | None] = [None] * world.climate.nodes
        self.lines: list[Line] = []
        self._started: list[Node] = []
        self._changed = asyncio.Event()

    @property
    def up(self) -> list[Node]:
        return [node for node in self.nodes if node]

    @property
    def blocked(self) -> list[Node]:
        """Also those that have been asked to end."""
        return [node for node in self._started if node.owner.held is not None]

    def any(self, *, but: Node | None = None) -> Node | None:
        """A node that is up, if one is; another one than ``but``, if there is another."""
        nodes = [node for node in self.up if node is not but] or self.up
        return self.world.random.choice(nodes) if nodes else None

    # Nodes come and go.

    def start(self, number: int) -> None:
        node = Node(self.world, self.store, self.registry, self.bus, number)
        self._started.append(node)
        node.owner.start(self._start(node))

    async def _start(self, node: Node) -> None:
        try:
            await node.chat.__aenter__()
        except (ChatError, Injected):
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
        node.release()
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
        if node.blocked_since(self.world.now - GONE_S):
            self.world.later(GONE_S, self._gone, node)
            return
        for task in node.owner.living():
            self.world.fault(f"node {node.number} has stopped, and {task} still runs")

    # Clients come and go.

    def connect(self, client: Client) -> Line | None:
        """A line from the client to some node."""
        node = self.any()
        if node is None:
            return None
        line = Line(self.world, self.attempts, node.owner, client.user, client.session, client.hear, client.lasts_s)
        self.closings.opened(line, node)
        self.lines.append(line)
        node.lines[line] = node.owner.start(self._serve(node, line, client.device))
        return line

    async def _serve(self, node: Node, line: Line, device: str) -> None:
        """What a transport does."""
        began = self.world.now
        if line.lasts_s:
            line.expires_at = node.clock() + timedelta(seconds=line.lasts_s)
        try:
            connecting = node.chat.connect(
                line,
                user=line.user,
                device=device,
                session=line.session,
                expires_at=line.expires_at,
                authenticate=partial(authenticate, self.world, node.owner, line.user, line.session, node.clock),
            )
            async with self.world.cancellation.of_block(connecting) as socket:
                while message := await line.next():
                    number, event, data = message
                    attempt = line.begin(event, data, node.owner)
                    receiving = socket.receive(event, data, partial(line.answer, number, attempt))
                    await self.world.cancellation.of(f"receive: {event}", receiving)
                    attempt.queued = True
        except (ChatError, Injected) as error:
            due = node.owner.ending or node.owner.failed_at >= began or self.world.raised(node.owner, began)
            if not due:
                self.world.fault(f"{line} was refused without a reason: {error!r}")
            self.world.excuse("a socket is refused by a node that stops, or with a port that fails")
        except RuntimeError:
            if not node.owner.dead:
                raise
            self.world.excuse("a socket ends with its process")
        finally:
            node.lines.pop(line, None)
            line.end()

    def node_of(self, line: Line | None) -> Node | None:
        """The node that serves a line, while it does."""
        return next((node for node in self.up if line in node.lines), None)

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
