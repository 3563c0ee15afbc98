"""A device: a client that follows `chatcore.replica` on a line that breaks."""

from typing import TYPE_CHECKING

from ...ids import RoomId, UserId
from ...protocol import Object
from ...replica import Ask, Effects, Entries, Forget, Missed, Replica, Settled, Shown, Wait
from .display import Display
from .line import Line, Message
from .world import World

if TYPE_CHECKING:
    from .cluster import Cluster


class Client:
    """One device of a user. ``held`` is what it shows of each room; ``open`` are the commands it waits for."""

    def __init__(self, world: World, cluster: "Cluster", user: UserId, device: str, session: str) -> None:
        self.user = user
        self.device = device
        self.session = session
        self.lasts_s: float | None = None
        """After how many seconds the access ends that its next lines are opened with, if it does."""
        self.wanted = False
        self.line: Line | None = None
        self.replica = Replica(user, page=world.random.choice((3, 20, 100)))
        self.held: dict[RoomId, Display] = {}
        self.open: dict[int, Object] = {}
        self._world = world
        self._cluster = cluster

    @property
    def online(self) -> bool:
        return self.line is not None

    def come(self) -> None:
        """Be online from here on: connect, and come back after every break."""
        self.wanted = True
        self._connect()

    def go(self) -> None:
        """Be offline from here on."""
        self.wanted = False
        if self.line:
            self._cluster.abandon(self.line, at_once=False)
            self._lost()

    def lose(self, *, half_open: bool) -> None:
        """The line breaks; ``half_open``: the node does not notice for a while."""
        if self.line:
            self._cluster.abandon(self.line, at_once=not half_open)
            self._lost()

    def poke(self) -> None:
        """The network is back: whoever waits to try again, tries now; who would soon be sent away, comes again now."""
        if self.line and self.line.lasts_s:
            self.lose(half_open=False)
        if self.line is None:
            self._connect()
        else:
            self._carry_out(self.replica.retry())

    def command(self, event: str, data: Object) -> None:
        """The user wants something."""
        number, effects = self.replica.send(event, data)
        self.open[number] = data
        self._carry_out(effects)

    def sync(self, rooms: list[RoomId]) -> None:
        """Ask what was missed, though nothing broke: in ``rooms``, known or not, or in all."""
        if self.line:
            self._carry_out(self.replica.sync(rooms))

    def _connect(self) -> None:
        if self.line or not self.wanted:
            return
        line = self._cluster.connect(self)
        if line is None:
            self._again()
            return
        self.line = line
        self._world.tell("%s connects as %s", self.device, line.id)
        self._carry_out(self.replica.connected())

    def _again(self) -> None:
        self._world.later(self._world.random.uniform(0, 1), self._connect)

    def hear(self, line: Line, message: Message) -> None:
        """Something came down a line; only the present one is listened to."""
        if line is not self.line:
            return
        match message:
            case ("nothing",) | ("push", "bye", _):
                pass
            case ("push", event, body):
                if event == "marker" and body["room"] in self.held:
                    self.held[body["room"]].mark(body)
                self._carry_out(self.replica.pushed(event, body))
            case ("answer", number, answer):
                self._carry_out(self.replica.answered(number, answer))
            case _:
                self._lost()

    def _lost(self) -> None:
        if self.line is None:
            return
        self._world.tell("%s has lost %s", self.device, self.line.id)
        self.line.cut()
        self.line = None
        self._carry_out(self.replica.disconnected())
        if self.wanted:
            self._again()

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Ask():
                    if self.line:
                        self.line.ask(effect.number, effect.event, effect.data)
                case Entries():
                    self._take(effect)
                case Forget():
                    self.held.pop(effect.room, None)
                case Missed():
                    self._world.fault(f"{self.user} was not told {effect.room} {effect.first} to {effect.last}")
                case Shown(fields={"me": _}):
                    self._display(effect.room).lay(effect.fields)
                case Settled():
                    self.open.pop(effect.number, None)
                case Wait():
                    seconds = effect.ms / 1000 * self._world.random.uniform(0.5, 1)
                    self._world.later(seconds, self._retry, self.line)
                case _:
                    pass

    def _retry(self, line: Line | None) -> None:
        if line is self.line:
            self._carry_out(self.replica.retry())

    def _take(self, found: Entries) -> None:
        for seq in self._display(found.room).give(found):
            self._world.fault(f"{self.user} was given {found.room} {seq} twice")

    def _display(self, room: RoomId) -> Display:
        return self.held.setdefault(room, Display(self.user))
