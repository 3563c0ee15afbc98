"""Who makes things happen: users who come, go and command, nodes that fail."""

import asyncio
from collections.abc import Callable, Mapping

from ...ids import UserId
from ...ports.connection import Bye
from ...protocol import Object
from .caller import Caller
from .client import Client
from .climate import STRANGER
from .cluster import Cluster, Node
from .scenes import SCENES, play
from .workload import Workload
from .world import World

SCENIC = 0.25
"""The share of the director's turns that are scenes."""
HOUR_S, DAY_S = 3_600, 86_400
JUMPS_S = (-HOUR_S, HOUR_S, -3 * DAY_S, 400 * DAY_S)


class Director:
    """Gives a number of commands, and between them the faults that are not a single call's."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world = world
        self.cluster = cluster
        self.workload = Workload(world)
        self.callers: list[Caller] = []
        self.clients: list[Client] = []
        self._of_user: dict[UserId, list[Client]] = {}
        self.add(
            [
                Client(world, cluster, user, f"{user}-{n}", f"{user}'s session {n % 2}")
                for user in (*world.users, STRANGER)
                for n in range(1 if user == STRANGER else world.climate.devices)
            ]
        )

    async def direct(self, commands: int) -> None:
        """Return when so many commands have been given."""
        random, climate = self.world.random, self.world.climate
        for client in self.clients:
            if random.random() < 0.7:
                self.world.later(random.random(), client.come)
        given = 0
        while given < commands:
            await asyncio.sleep(random.expovariate(1 / climate.gap_s))
            if event := self.world.faults.one_of(tuple(EVENTS)):
                EVENTS[event](self)
            elif random.random() < 0.05:
                self._come_or_go()
            if (drive := CALLS.get(self.world.cancelled or "")) and random.random() < 0.5:
                drive(self)
            if random.random() < SCENIC:
                given += self._scene()
                continue
            for _ in range(min(random.randint(1, climate.burst), commands - given)):
                self.command(*self.workload.wish())
                given += 1

    def _come_or_go(self) -> None:
        client = self.world.random.choice(self.clients)
        if client.wanted:
            client.go()
        else:
            client.come()

    def _scene(self) -> int:
        (name,) = self.world.random.choices(list(SCENES), [weight for weight, _ in SCENES.values()])
        return play(name, self)

    def add(self, clients: list[Client]) -> None:
        """Let more devices take part."""
        self.clients.extend(clients)
        for client in clients:
            self._of_user.setdefault(client.user, []).append(client)

    def of_user(self, user: UserId) -> list[Client]:
        """The user's devices."""
        return self._of_user[user]

    def command(self, user: UserId, event: str, data: Object) -> None:
        """A user wants something, on some device or without one."""
        client = self.world.random.choice(self._of_user[user])
        if self.world.random.random() < 0.25 or (event == "sync" and not client.online):
            self.call(user, event, data)
        elif event == "sync":
            client.sync(list(data.get("cursors") or ()))
        else:
            client.command(event, data)

    def call(
        self,
        user: UserId,
        event: str,
        data: Object,
        *,
        at: Node | None = None,
        but: Node | None = None,
        then: Callable[[Object], None] | None = None,
    ) -> None:
        """A user wants something without a socket: ``at`` a node, or at any ``but`` one; ``then`` gets a success."""
        caller = Caller(self.world, self.cluster, user, event, data, then)
        self.callers.append(caller)
        caller.try_at(at if at in self.cluster.up else self.cluster.any(but=but))

    # Faults that take a whole node or line.

    def crash(self) -> None:
        node = self.cluster.any()
        if node and not self.world.faults.over:
            self.cluster.crash(node)

    def stop(self) -> None:
        if node := self.cluster.any():
            self.cluster.stop(node)

    def cut(self) -> None:
        self.world.random.choice(self.clients).lose(half_open=False)

    def half_open(self) -> None:
        self.world.random.choice(self.clients).lose(half_open=True)

    def bye(self) -> None:
        line = self.world.random.choice(self.clients).line
        if line:
            line.close(Bye(code="slow"))

    def store_away(self) -> None:
        self.cluster.store.away_until = self.world.now + self.world.random.uniform(0, 8)

    def store_away_for_one(self) -> None:
        if node := self.cluster.any():
            node.store.away_until = self.world.now + self.world.random.uniform(0, 8)

    def block(self) -> None:
        if node := self.cluster.any():
            node.block(self.world.random.choice((0.5, 3, 8, 40)) * self.world.random.random())

    def jump(self) -> None:
        if node := self.cluster.any():
            node.jump(self.world.random.choice(JUMPS_S))

    def kick(self) -> None:
        line = self.world.random.choice(self.clients).line
        if line:
            self.cluster.closings.kick(line.user, line.id, self.cluster.any())

    def sign_out(self) -> None:
        self.end_session(self.world.random.choice(self.clients), self.cluster.any())

    def end_session(self, client: Client, at: Node | None) -> None:
        """The session of a client ends, at a node; its devices sign in again before they come back."""
        ended, new = client.session, f"{client.user}'s session {self.world.new_id()}"
        for one in self._of_user[client.user]:
            if one.session == ended:
                one.session = new
        self.cluster.closings.sign_out(client.user, ended, at)

    def close(self) -> None:
        self.world.random.choice((self.kick, self.sign_out))()

    def another_epoch(self) -> None:
        """The operator gives the store another epoch, which wants every node stopped."""
        self.world.epochs.append(f"{self.world.epoch}+")
        for node in self.cluster.up:
            self.cluster.crash(node)


EVENTS: Mapping[str, Callable[[Director], None]] = {
    "node: crashes": Director.crash,
    "node: stops": Director.stop,
    "node: blocked": Director.block,
    "clock: jumps": Director.jump,
    "socket: kicked": Director.kick,
    "session: signed out": Director.sign_out,
    "line: cut": Director.cut,
    "line: half open": Director.half_open,
    "line: bye": Director.bye,
    "store: away": Director.store_away,
    "store: away for one": Director.store_away_for_one,
    "store: another epoch": Director.another_epoch,
}
CALLS: Mapping[str, Callable[[Director], None]] = {
    "connect": Director.cut,
    "disconnect": Director.bye,
    "close": Director.close,
}
"""What makes the calls frequent that are cancelled and are no commands."""
