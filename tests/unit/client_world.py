"""A client's state on connections that break, beside a server without a network."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from chatcore import SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.domain.entries import Entry
from chatcore.ids import RoomId, UserId
from chatcore.protocol import Object, entry_object
from chatcore.replica import (
    Answered,
    ClientEffects,
    ClientState,
    Delivered,
    Drop,
    Failed,
    Keep,
    SendCommand,
    Wake,
)
from chatcore.replica.client_state import KEPT_ENTRIES
from tests.unit.replica_server import UNAVAILABLE, Server

ROUNDS = 1_000


class World:
    """Alice's client, and a server whose frames arrive in the order in which it sent them.

    Attributes:
        commands: what the client has sent and the server has not handled.
        frames: what the server has sent and has not arrived.
        kept: the store.
        wakes: the pauses of the client, by number.
    """

    user: UserId = "alice"

    def __init__(self, gap_above: int = 200, kept_entries: int = KEPT_ENTRIES) -> None:
        self._kept_entries = kept_entries
        self.server = Server(gap_above)
        self.kept: dict[str, Object] = {}
        self.commands: deque[SendCommand] = deque()
        self.frames: deque[tuple[str | int, Object]] = deque()
        self.wakes: dict[int, int] = {}
        self.answers: dict[int, Object] = {}
        self.delivered: dict[str, int] = {}
        self.failed: dict[str, Object] = {}
        self.effects: ClientEffects = []
        self.online = False
        self.client = ClientState(kept_entries=kept_entries)
        self._keys = 0

    def take(self, effects: ClientEffects) -> ClientEffects:
        self.effects += effects
        for effect in effects:
            match effect:
                case SendCommand():
                    assert self.online, "a command without a connection"
                    self.commands.append(effect)
                case Keep(item=item):
                    self.kept[item["key"]] = item
                case Drop(key=key):
                    self.kept.pop(key, None)
                case Wake(number=number, ms=ms):
                    self.wakes[number] = ms
                case Answered(number=number, answer=answer):
                    assert number not in self.answers, "a command was answered twice"
                    self.answers[number] = answer
                case Delivered(key=key, seq=seq):
                    assert self.delivered.get(key, seq) == seq
                    self.delivered[key] = seq
                case Failed(key=key, error=error):
                    self.failed[key] = error
                case _:
                    pass
        return effects

    # The network.

    def connect(self) -> None:
        self.online = True
        self.frames.append(("ready", {**self.server.ready(self.user), "user": self.user}))

    def lose(self, code: int = 1006) -> None:
        self.commands.clear()
        self.frames.clear()
        if self.online:
            self.online = False
            self.wakes.clear()
            self.take(self.client.broken(code))

    def restart(self) -> None:
        """Begin a client anew, with the store of the one before."""
        self.lose()
        self.client = ClientState(list(self.kept.values()), self._kept_entries)

    def serve(self, answer: Object | None = None) -> None:
        """Let the server handle the oldest command, with ``answer`` or what it answers."""
        if not self.commands:
            return
        command = self.commands.popleft()
        if answer is not None:
            self.frames.append((command.number, answer))
            return
        heads = {room: projection.state.head for room, projection in self.server.rooms.items()}
        self.frames.append((command.number, self.server.answer(self.user, command.event, command.data)))
        for room, projection in self.server.rooms.items():
            for entry in projection.entries[heads.get(room, 0) :]:
                self._push(entry, is_new=room not in heads)

    def arrive(self) -> None:
        """Let the oldest frame of the server arrive."""
        if not self.frames:
            return
        name, body = self.frames.popleft()
        if isinstance(name, int):
            self.take(self.client.answered(name, body))
        elif name == "ready":
            self.take(self.client.ready(body))
        else:
            self.take(self.client.pushed(name, body))

    def wake(self) -> None:
        """Let all pauses end."""
        numbers, self.wakes = list(self.wakes), {}
        for number in numbers:
            self.take(self.client.woke(number))

    def do(self, user: UserId, command: RoomCommand[Any]) -> None:
        """Let a user of another device carry out a command, which the client's connection hears of."""
        before = set(self.server.rooms)
        entry = self.server.do(user, command)
        if entry:
            self._push(entry, is_new=entry.room not in before)

    def _push(self, entry: Entry, *, is_new: bool) -> None:
        projection = self.server.rooms[entry.room]
        is_member = self.user in projection.members
        if not self.online:
            return
        if is_member and (is_new or self.user in entry.affects):
            room = self.server.shown(self.user, entry.room, announced_at=entry.seq - 1)
            self.frames.append(("room", room))
        if is_member or (self.user in entry.affects and entry.event.__class__.__name__ != "Invited"):
            self.frames.append(("entry", entry_object(entry)))
        if not is_member and self.user in entry.affects:
            self.frames.append(("room.gone", {"room": entry.room}))

    # What the user does.

    def send(self, body: str, **to: str) -> str:
        self._keys += 1
        key = f"own-key-{self._keys}"
        item = self.client.compose(to or {"room": "pvt-alice-bob"}, key, {"body": body})
        self.kept[key] = item
        self.take(self.client.send(item))
        return key

    def settle(self) -> "World":
        """Let everything arrive until nothing is left to do."""
        for _ in range(ROUNDS):
            if not self.online:
                self.connect()
            if not (self.commands or self.frames or self.wakes):
                return self
            self.serve()
            self.arrive()
            if not self.commands and not self.frames:
                self.wake()
        raise AssertionError("the client does not settle")

    def refuse(self) -> None:
        """Let the server fail temporarily for the oldest command."""
        self.serve(UNAVAILABLE)

    def open(self, room: RoomId) -> None:
        self.take(self.client.open(room))

    def bodies(self, room: RoomId = "pvt-alice-bob") -> Sequence[tuple[str, str]]:
        return [(message.get("body", ""), message["state"]) for message in self.client.messages(room)]

    def asked(self, event: str) -> list[Object]:
        """The data of the commands of this name that the client has ever sent."""
        return [effect.data for effect in self.effects if isinstance(effect, SendCommand) and effect.event == event]


def say(world: World, *bodies: str, user: UserId = "bob", to: UserId = "alice") -> None:
    for body in bodies:
        world.do(user, SendMessage(to=to, body=body, key=f"{user}-{body}"))
