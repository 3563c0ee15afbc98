"""The nodes of a run: their life and death, the connections that they serve, and the sockets that their host closes."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import TypeAlias

from ...chat import Chat
from ...errors import ChatError, NotFound
from ...ids import UserId
from ...ports.registry import SocketRegistry
from ...ports.store import Store
from .connection import Frame, SimulatedConnection
from .faulty_ports import FaultyBus, FaultyRegistry, FaultyStore, SharedBus, SharedRegistry, SharedStore
from .host import authenticate, canonical, directory, people
from .processes import Process, hold_back
from .profile import InjectedError
from .world import World

SKEW_MAX_S = 3600
RESTART_MAX_S = 2
TASKS_END_S = 10
"""Seconds after a stop in which a node's tasks end. A read may call the store several times, for 2 s each."""
EXPIRY_SEEN_S = 3
"""Seconds in which a node closes an expired socket. It looks once a second."""
CHECK_CLOSES_S = 2
RENEWAL_CLOSES_S = 10
"""The contract: a revoked socket is closed 2 s after its hint at the latest, and 10 s after its revocation."""
REGISTRY_CALLS_S = 2
"""Seconds that the calls of the registry in between take without a fault."""
RETRY_S = (0.05, 1)


class Node:
    """One life of a node: a `Chat`, its ports, and the process in which it runs."""

    def __init__(self, world: World, store: SharedStore, registry: SharedRegistry, bus: SharedBus, number: int) -> None:
        self.number = number
        self.process: Process = Process()
        self.store: FaultyStore = FaultyStore(store, self.process)
        self.registry: FaultyRegistry = FaultyRegistry(registry, self.process)
        self.connections: dict[SimulatedConnection, asyncio.Task[None]] = {}
        self.skew_s: float = world.random.uniform(-SKEW_MAX_S, SKEW_MAX_S)
        self._world = world
        self._blocked_at = self._jumped_at = float("-inf")
        self.chat: Chat = Chat(
            self.store,
            bus=FaultyBus(bus, self.process),
            registry=self.registry,
            directory=partial(directory, world, self.process),
            people=partial(people, world, self.process),
            canonical=partial(canonical, world, self.process),
            clock=self.clock,
            new_id=world.new_id,
            uniform=world.random.uniform,
        )

    def clock(self) -> datetime:
        """Return the wall-clock time of this node."""
        return self._world.clock(self.skew_s)

    def block(self, seconds: float) -> None:
        """Block the event loop for ``seconds``, as a callback that does not return or a paused process does."""
        if self.process.held_handles is None and not self.process.killed and not self._world.faults.stopped:
            self.process.held_handles = []
            self._world.blocked_nodes += 1
            self._world.loop.hold_back = hold_back
            self._world.call_later(seconds, self.unblock)

    def unblock(self) -> None:
        if self.process.held_handles is not None:
            self._world.loop.make_ready(self.process.held_handles)
            self.process.held_handles = None
            self._blocked_at = self.process.port_failed_at = self._world.now
            self._world.blocked_nodes -= 1
            if not self._world.blocked_nodes:
                self._world.loop.hold_back = None
            self._expect_expiry()

    def jump_clock(self, seconds: float) -> None:
        """Set the node's clock. A little later, check that sockets which have expired by it are closed."""
        self.skew_s += seconds
        self._jumped_at = self._world.now
        self._expect_expiry()

    def _expect_expiry(self) -> None:
        self._world.call_later(EXPIRY_SEEN_S, self._check_expiry, self._world.now)

    def _check_expiry(self, since: float) -> None:
        if (
            self.process.killed
            or max(self._jumped_at, self._blocked_at) > since
            or self.process.held_handles is not None
        ):
            return
        overdue = self.clock() - timedelta(seconds=EXPIRY_SEEN_S)
        for connection in self.connections:
            expires_at = connection.expires_at
            if connection.ready_at <= since and connection.is_open and expires_at and expires_at < overdue:
                self._world.violation(f"{connection} is open at {self.clock()} and expired at {expires_at}")

    def blocked_since(self, moment: float) -> bool:
        """Return whether the node was blocked at ``moment`` or later."""
        return self.process.held_handles is not None or self._blocked_at >= moment

    def disturbed_since(self, moment: float) -> bool:
        """Return whether the node was blocked, or a call of the registry failed, at ``moment`` or later."""
        return self.blocked_since(moment) or self.registry.disturbed_since(moment)


class Cluster:
    """The nodes on one store, one registry and one bus."""

    def __init__(self, world: World, store: Store, registry: SocketRegistry) -> None:
        self.world = world
        self.store: SharedStore = SharedStore(world, store)
        self.registry: SharedRegistry = SharedRegistry(world, registry)
        self.closer: SocketCloser = SocketCloser(world, self, self.registry)
        self.bus: SharedBus = SharedBus(world, self.closer.check_received)
        self.nodes: list[Node | None] = [None] * world.profile.nodes
        """The running nodes by their number; None for a node that is down."""
        self.connections: list[SimulatedConnection] = []
        self._started: list[Node] = []
        self._changed = asyncio.Event()

    @property
    def running(self) -> list[Node]:
        return [node for node in self.nodes if node]

    @property
    def blocked(self) -> list[Node]:
        """The blocked nodes, with those that are stopping."""
        return [node for node in self._started if node.process.held_handles is not None]

    def any_node(self, *, other_than: Node | None = None) -> Node | None:
        """Return a random running node, or None if no node runs. Avoid ``other_than`` if another node runs."""
        nodes = [node for node in self.running if node is not other_than] or self.running
        return self.world.random.choice(nodes) if nodes else None

    # Nodes start and end.

    def start(self, number: int) -> None:
        node = Node(self.world, self.store, self.registry, self.bus, number)
        self._started.append(node)
        node.process.start(self._start(node))

    async def _start(self, node: Node) -> None:
        try:
            await node.chat.__aenter__()
        except (ChatError, InjectedError):
            self.world.call_later(self.world.random.random(), self.start, node.number)
            return
        self.nodes[node.number] = node
        if node.store.epoch != self.world.epoch:
            self.crash(node)
            return
        self._changed.set()
        self.world.trace("node %s runs", node.number)

    async def all_running(self) -> None:
        """Return when every node runs."""
        while None in self.nodes:
            self._changed.clear()
            await self._changed.wait()

    def crash(self, node: Node) -> None:
        """Kill the process of a node, and start the node again a little later."""
        self.world.trace("node %s crashes", node.number)
        self.nodes[node.number] = None
        self.bus.subscriptions.pop(node.process, None)
        node.unblock()
        node.process.kill()
        for connection in tuple(node.connections):
            connection.end(abruptly=self.world.random.random() < 0.5)
        self.world.call_later(self.world.random.uniform(0, RESTART_MAX_S), self.start, node.number)

    def stop(self, node: Node, *, restart: bool = True) -> asyncio.Task[None]:
        """Stop a node in order. With ``restart``, start it again afterwards."""
        self.world.trace("node %s stops", node.number)
        self.nodes[node.number] = None
        node.process.stopping = True
        return node.process.start(self._stop(node, restart=restart))

    async def _stop(self, node: Node, *, restart: bool) -> None:
        await node.chat.__aexit__(None, None, None)
        self.world.call_later(TASKS_END_S, self._check_tasks_ended, node)
        if restart:
            self.world.call_later(self.world.random.uniform(0, RESTART_MAX_S), self.start, node.number)

    def _check_tasks_ended(self, node: Node) -> None:
        if node.blocked_since(self.world.now - TASKS_END_S):
            self.world.call_later(TASKS_END_S, self._check_tasks_ended, node)
            return
        for task in node.process.running_tasks():
            self.world.violation(f"node {node.number} has stopped, and {task} still runs")

    # Clients connect and disconnect.

    def connect(
        self,
        user: UserId,
        device: str,
        session: str,
        receive: Callable[[SimulatedConnection, Frame], None],
        access_s: float | None,
    ) -> SimulatedConnection | None:
        """Connect a client to some node. Returns None if no node runs.

        Args:
            receive: The client's callback for frames of the node.
            access_s: Seconds after which the access of the connection ends, if it does.
        """
        node = self.any_node()
        if node is None:
            return None
        connection = SimulatedConnection(self.world, node.process, user, session, receive, access_s)
        self.closer.connected(connection, node)
        self.connections.append(connection)
        node.connections[connection] = node.process.start(self._serve(node, connection, device))
        return connection

    async def _serve(self, node: Node, connection: SimulatedConnection, device: str) -> None:
        """Serve a connection as a transport does."""
        world, process = self.world, node.process
        started_at = world.now
        if connection.access_s:
            connection.expires_at = node.clock() + timedelta(seconds=connection.access_s)
        try:
            connecting = node.chat.connect(
                connection,
                user=connection.user,
                device=device,
                session=connection.session,
                expires_at=connection.expires_at,
                authenticate=partial(authenticate, world, process, connection.user, connection.session, node.clock),
            )
            async with world.cancellation.run_block(connecting) as socket:
                try:
                    while command := await connection.next_command():
                        number, name, data = command
                        attempt = connection.start_attempt(name, data)
                        receiving = socket.receive(name, data, partial(connection.answer, number, attempt))
                        await world.cancellation.run(f"receive: {name}", receiving)
                        attempt.queued = True
                finally:
                    connection.left()
        except (ChatError, InjectedError) as error:
            failed = process.port_failed_at >= started_at or world.error_injected(process, started_at)
            if not (process.stopping or failed):
                world.violation(f"{connection} was refused without a reason: {error!r}")
            world.tolerate("a socket is refused by a node that stops, or whose port failed")
        except RuntimeError:
            if not process.killed:
                raise
            world.tolerate("a socket ends with its process")
        finally:
            node.connections.pop(connection, None)
            connection.end()

    def node_of(self, connection: SimulatedConnection | None) -> Node | None:
        """Return the running node that serves a connection, if any."""
        return next((node for node in self.running if connection in node.connections), None)

    def disconnect(self, connection: SimulatedConnection, *, noticed_at_once: bool) -> None:
        """Cut a connection at the client's end. The node notices at once or up to 5 s later."""
        connection.cut()
        delay = 0 if noticed_at_once else self.world.random.uniform(0, 5)
        self.world.call_later(delay, self._notice_disconnect, connection)

    def _notice_disconnect(self, connection: SimulatedConnection) -> None:
        for node in self.running:
            if task := node.connections.pop(connection, None):
                task.cancel()
                connection.end()


Closing: TypeAlias = Callable[[Node], Awaitable[None]]


class SocketCloser:
    """Closes sockets for the host, and checks that they end in time.

    A host repeats a call at any node until it succeeds or the socket is not found.
    """

    def __init__(self, world: World, cluster: Cluster, registry: SharedRegistry) -> None:
        self._world = world
        self._cluster = cluster
        self._registry = registry
        self._connections: dict[str, tuple[SimulatedConnection, Node]] = {}

    def connected(self, connection: SimulatedConnection, node: Node) -> None:
        self._connections[connection.id] = connection, node

    def kick(self, user: UserId, socket: str, node: Node | None) -> None:
        """Close one socket of a user, with a call at ``node`` if it runs."""
        self._world.closable.add(("kicked", socket))
        self._world.trace("the host closes the socket %s of %s", socket, user)
        self._try(partial(self._kick, user, socket), node)

    def sign_out(self, user: UserId, session: str, node: Node | None) -> None:
        """Close every socket of a session, with a call at ``node`` if it runs."""
        self._world.closable.add(("signed_out", session))
        self._world.trace("the host ends %s of %s", session, user)
        self._try(partial(self._sign_out, user, session), node)

    def check_received(self, process: Process, sockets: Collection[str]) -> None:
        """Expect a node that received the hint `RevocationHint` to close those of ``sockets`` that it serves."""
        for connection, node in (self._connections[socket] for socket in sorted(sockets)):
            if node.process is process:
                self._expect_end(connection, node, CHECK_CLOSES_S)

    def _try(self, closing: Closing, at: Node | None) -> None:
        node = at if at in self._cluster.running else self._cluster.any_node()
        if node is None:
            self._retry(closing)
        else:
            node.process.start(self._run(closing, node)).add_done_callback(partial(self._tried, closing))

    def _retry(self, closing: Closing) -> None:
        self._world.call_later(self._world.random.uniform(*RETRY_S), self._try, closing, None)

    def _tried(self, closing: Closing, task: asyncio.Task[bool]) -> None:
        if task.cancelled() or not task.result():
            self._retry(closing)

    async def _run(self, closing: Closing, node: Node) -> bool:
        try:
            await closing(node)
        except NotFound:
            return True
        except (ChatError, InjectedError):
            return False
        return True

    async def _kick(self, user: UserId, socket: str, node: Node) -> None:
        known = socket in self._known(user)
        try:
            await self._world.cancellation.run("close", node.chat.close_socket(user, socket))
        except NotFound:
            if known and socket in self._known(user):
                self._world.violation(f"the socket {socket} of {user} is open, and closing it answered not_found")
            raise
        self._expect_end(*self._connections[socket], RENEWAL_CLOSES_S + REGISTRY_CALLS_S)

    async def _sign_out(self, user: UserId, session: str, node: Node) -> None:
        on_node = [
            connection
            for connection in node.connections
            if connection.ready_at < inf and (connection.user, connection.session) == (user, session)
        ]
        known = [socket for socket in self._known(user) if self._connections[socket][0].session == session]
        try:
            await self._world.cancellation.run("close", node.chat.close_session(user, session))
        finally:
            for connection in on_node:
                if connection.is_open and not connection.is_left:
                    self._world.violation(f"{connection} is open after its node has ended {session}")
        for socket in known:
            self._expect_end(*self._connections[socket], RENEWAL_CLOSES_S + REGISTRY_CALLS_S)

    def _known(self, user: UserId) -> list[str]:
        return [socket.id for socket in self._registry.known(user)]

    def _expect_end(self, connection: SimulatedConnection, node: Node, within_s: float) -> None:
        """Require that the connection ends within ``within_s`` seconds without a fault of its node."""
        self._world.call_later(within_s, self._check_end, connection, node, within_s, self._world.now)

    def _check_end(self, connection: SimulatedConnection, node: Node, within_s: float, since: float) -> None:
        if not connection.is_open or node.process.killed:
            return
        if node.disturbed_since(since):
            self._expect_end(connection, node, within_s)
        else:
            self._world.violation(f"{connection} is open {within_s} s after it was revoked")
