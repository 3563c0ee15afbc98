"""The driver of a run: the users' devices and callers, and the faults of whole nodes, connections and clocks."""

from collections.abc import Callable, Mapping

from ...ids import UserId
from ...ports.pushes import Bye
from ...protocol import Object
from .clients import Caller, Client
from .cluster import Cluster, Node
from .profile import STRANGER
from .workload import Workload
from .world import World

HOUR_S, DAY_S = 3_600, 86_400
CLOCK_JUMPS_S = (-HOUR_S, HOUR_S, -3 * DAY_S, 400 * DAY_S)


class Driver:
    """Gives commands in the name of users, and causes faults."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world = world
        self.cluster = cluster
        self.workload: Workload = Workload(world)
        self.callers: list[Caller] = []
        self.clients: list[Client] = []
        self._clients_of: dict[UserId, list[Client]] = {}
        self.add_clients(
            [
                Client(world, cluster, user, f"{user}-{n}", f"{user}'s session {n % 2}")
                for user in (*world.users, STRANGER)
                for n in range(1 if user == STRANGER else world.profile.devices)
            ]
        )

    def add_clients(self, clients: list[Client]) -> None:
        self.clients.extend(clients)
        for client in clients:
            self._clients_of.setdefault(client.user, []).append(client)

    def clients_of(self, user: UserId) -> list[Client]:
        return self._clients_of[user]

    def any_client(self) -> Client:
        return self.world.random.choice(self.clients)

    def command(self, user: UserId, name: str, data: Object) -> None:
        """Give a command of ``user``, on one of the user's devices or without a socket."""
        client = self.world.random.choice(self._clients_of[user])
        if self.world.random.random() < 0.25 or (name == "sync" and not client.online):
            self.call(user, name, data)
        elif name == "sync":
            client.sync(list(data.get("cursors") or ()))
        else:
            client.command(name, data)

    def call(
        self,
        user: UserId,
        name: str,
        data: Object,
        *,
        at: Node | None = None,
        other_than: Node | None = None,
        on_success: Callable[[Object], None] | None = None,
    ) -> None:
        """Give a command of ``user`` without a socket.

        Args:
            at: The node of the first attempt, if it runs.
            other_than: A node to avoid for the first attempt, if another node runs.
            on_success: Called with the answer if the command succeeds.
        """
        caller = Caller(self.world, self.cluster, user, name, data, on_success)
        self.callers.append(caller)
        caller.try_at(at if at in self.cluster.running else self.cluster.any_node(other_than=other_than))

    def go_online_or_offline(self) -> None:
        client = self.any_client()
        if client.wants_online:
            client.go_offline()
        else:
            client.go_online()

    # Faults.

    def crash_node(self) -> None:
        node = self.cluster.any_node()
        if node and not self.world.faults.stopped:
            self.cluster.crash(node)

    def stop_node(self) -> None:
        if node := self.cluster.any_node():
            self.cluster.stop(node)

    def block_node(self) -> None:
        if node := self.cluster.any_node():
            node.block(self.world.random.choice((0.5, 3, 8, 40)) * self.world.random.random())

    def jump_clock(self) -> None:
        if node := self.cluster.any_node():
            node.jump_clock(self.world.random.choice(CLOCK_JUMPS_S))

    def cut_connection(self) -> None:
        self.any_client().disconnect(half_open=False)

    def cut_connection_unnoticed(self) -> None:
        self.any_client().disconnect(half_open=True)

    def close_connection_as_slow(self) -> None:
        connection = self.any_client().connection
        if connection:
            connection.close(Bye(code="slow"))

    def make_store_unavailable(self) -> None:
        self.cluster.store.unavailable_until = self.world.now + self.world.random.uniform(0, 8)

    def make_store_unavailable_to_node(self) -> None:
        if node := self.cluster.any_node():
            node.store.unavailable_until = self.world.now + self.world.random.uniform(0, 8)

    def change_epoch(self) -> None:
        """Give the store another epoch. An operator stops every node for that."""
        self.world.epochs.append(f"{self.world.epoch}+")
        for node in self.cluster.running:
            self.cluster.crash(node)

    # Sockets that the host closes.

    def kick(self) -> None:
        connection = self.any_client().connection
        if connection:
            self.cluster.closer.kick(connection.user, connection.id, self.cluster.any_node())

    def sign_out(self) -> None:
        self.end_session(self.any_client(), self.cluster.any_node())

    def close_socket_or_session(self) -> None:
        self.world.random.choice((self.kick, self.sign_out))()

    def end_session(self, client: Client, node: Node | None) -> None:
        """End the session of a client. Its devices connect with a new session from now on."""
        ended, new = client.session, f"{client.user}'s session {self.world.new_id()}"
        for device in self._clients_of[client.user]:
            if device.session == ended:
                device.session = new
        self.cluster.closer.sign_out(client.user, ended, node)


EVENTS: Mapping[str, Callable[[Driver], None]] = {
    "node: crashes": Driver.crash_node,
    "node: stops": Driver.stop_node,
    "node: blocked": Driver.block_node,
    "clock: jumps": Driver.jump_clock,
    "socket: kicked": Driver.kick,
    "session: signed out": Driver.sign_out,
    "connection: cut": Driver.cut_connection,
    "connection: half open": Driver.cut_connection_unnoticed,
    "connection: closed as slow": Driver.close_connection_as_slow,
    "store: unavailable": Driver.make_store_unavailable,
    "store: unavailable to one node": Driver.make_store_unavailable_to_node,
    "store: new epoch": Driver.change_epoch,
}
"""The faults that occur at a step of the driver."""
FREQUENT_EVENTS: Mapping[str, Callable[[Driver], None]] = {
    "connect": Driver.cut_connection,
    "disconnect": Driver.close_connection_as_slow,
    "close": Driver.close_socket_or_session,
}
"""The step of the driver that makes a call frequent if it is cancelled and is no command."""
