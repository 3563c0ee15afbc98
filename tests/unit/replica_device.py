"""A client's device: it carries out the effects of a replica, and answers its questions when a test asks for it."""

from collections.abc import Sequence

from chatcore.ids import RoomId, Seq, UserId
from chatcore.protocol import Object
from chatcore.replica import (
    Effect,
    Effects,
    Entries,
    Forget,
    Missed,
    Replica,
    RoomFields,
    SendCommand,
    Settled,
    Timeline,
    Typists,
    Wait,
)
from tests.unit.replica_server import Server

ROUNDS = 500


class Device:
    """``effects`` has all effects so far, ``asked`` the questions without an answer."""

    def __init__(self, server: Server, user: UserId = "alice", page: int = 100) -> None:
        self.user = user
        self.server = server
        self.replica = Replica(user, page=page)
        self.effects: list[Effect] = []
        self.asked: list[SendCommand] = []
        self.timelines: dict[RoomId, Timeline] = {}
        self.shown: dict[RoomId, Object] = {}
        self.waits: list[int] = []

    def take(self, effects: Effects) -> Effects:
        self.effects += effects
        for effect in effects:
            match effect:
                case SendCommand():
                    self.asked.append(effect)
                case Entries():
                    self._hold(effect)
                case RoomFields():
                    self.shown.setdefault(effect.room, {}).update(effect.fields)
                case Forget():
                    self.timelines.pop(effect.room, None)
                    self.shown.pop(effect.room, None)
                case Wait():
                    self.waits.append(effect.ms)
                case Missed() | Settled() | Typists():
                    pass
        return effects

    def _hold(self, entries: Entries) -> None:
        timeline = self.timelines.setdefault(entries.room, Timeline())
        seqs = [entry["seq"] for entry in entries.entries]
        assert seqs == sorted(set(seqs))
        assert not timeline.present().keys() & set(seqs), "an entry was given twice"
        timeline.take(entries)

    def held(self) -> dict[RoomId, dict[Seq, Object]]:
        return {room: timeline.present() for room, timeline in self.timelines.items()}

    def connect(self) -> Effects:
        return self.take(self.replica.connected())

    def lose(self) -> Effects:
        self.asked.clear()
        return self.take(self.replica.disconnected())

    def receive(self, event: str, *bodies: Object) -> Effects:
        return [effect for body in bodies for effect in self.take(self.replica.pushed(event, body))]

    def send(self, event: str, data: Object) -> int:
        number, effects = self.replica.send(event, data)
        self.take(effects)
        return number

    def answer(self, answer: Object | None = None) -> Effects:
        """Answer the oldest question with ``answer``, or with the present answer of the server."""
        ask = self.asked.pop(0)
        return self.take(self.replica.answered(ask.number, answer or self.ask_server(ask)))

    def ask_server(self, ask: SendCommand) -> Object:
        return self.server.answer(self.user, ask.event, ask.data)

    def retry(self) -> Effects:
        return self.take(self.replica.retry())

    def settle(self) -> "Device":
        """Answer until no question is left."""
        for _ in range(ROUNDS):
            if not self.asked:
                return self
            self.answer()
        raise AssertionError(f"the replica asks for ever: {self.asked}")

    def start(self) -> "Device":
        """Connect, receive `ready`, and answer every question."""
        self.connect()
        self.receive("ready", self.server.ready(self.user))
        return self.settle()


def events(effects: Effects) -> list[tuple[str, Object]]:
    return [(effect.event, effect.data) for effect in effects if isinstance(effect, SendCommand)]


def seqs(effects: Effects) -> list[Seq]:
    return [entry["seq"] for effect in effects if isinstance(effect, Entries) for entry in effect.entries]


def kinds(effects: Sequence[Effect]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]
