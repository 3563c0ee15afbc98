"""A command on its way to one node once, and what came of it."""

from collections import defaultdict
from collections.abc import Mapping

from attrs import define, field

from ...commands.command import Command, RoomCommand
from ...commands.table import COMMANDS
from ...errors import ChatError
from ...ids import Key, RoomId, Seq, UserId, is_user_id, private_room_id
from ...protocol import Object, read_command
from .owners import Owner
from .world import World


@define(eq=False, kw_only=True)
class Attempt:
    """``low`` has the heads below which no room was when the node got the command, ``high`` those above which none was
    when it answered. ``place`` is the room in whose order it stands, if any; ``doomed`` the code with which it must
    fail, because an earlier one of its socket has."""

    user: UserId
    event: str
    data: object
    command: Command[object] | ChatError
    """What the node must take it for."""
    node: Owner
    over_socket: bool
    low: Mapping[RoomId, Seq]
    high: Mapping[RoomId, Seq] = field(factory=dict)
    told: Mapping[RoomId, Mapping[str, Seq]]
    """The user's own positions behind which no answer may fall."""
    asked: Mapping[RoomId, Mapping[str, Seq]] = field(factory=dict)
    """Those that none may pass, but by joining."""
    answer: Object | None = None
    began: float
    took: float = 0
    stopped: bool = False
    raised: bool = False
    """Whether a port or a callback of the host raised what it may not on the node meanwhile."""
    failed: bool = False
    """A port of the node failed while it had the command."""
    place: RoomId | None = None
    queued: bool = False
    doomed: str | None = None

    @property
    def key(self) -> Key | None:
        key = self.data.get("key") if isinstance(self.data, dict) else None
        return key if isinstance(key, str) else None

    def __str__(self) -> str:
        return f"{self.user}: {self.event} {self.data}"


class Attempts:
    """All attempts of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.all: list[Attempt] = []
        self.by_key: dict[tuple[UserId, Key], list[Attempt]] = defaultdict(list)

    def begin(self, user: UserId, event: str, data: object, node: Owner, *, over_socket: bool) -> Attempt:
        """A node gets a command now."""
        command, marks = _command(event, data), self.world.marks
        marks.begins(user, event, data)
        attempt = Attempt(
            user=user,
            event=event,
            data=data,
            command=command,
            node=node,
            over_socket=over_socket,
            began=self.world.now,
            low=dict(self.world.truth.heads),
            told=dict(marks.told.get(user, {})),
            place=_place(user, command) if isinstance(command, Command) else _place_meant(user, event, data),
        )
        self.all.append(attempt)
        if attempt.key is not None:
            self.by_key[user, attempt.key].append(attempt)
        self.world.tell("%s: %s %s%s", user, event, data, "" if over_socket else " (no socket)")
        return attempt

    def end(self, attempt: Attempt, answer: Object) -> None:
        """The node has answered it."""
        if attempt.answer is not None:
            self.world.fault(f"answered twice: {attempt} -> {attempt.answer}, {answer}")
        attempt.answer = answer
        attempt.stopped = attempt.node.ending
        attempt.raised = self.world.raised(attempt.node, attempt.began)
        attempt.failed = attempt.node.failed_at >= attempt.began
        attempt.took = self.world.now - attempt.began
        attempt.high = dict(self.world.truth.tried)
        attempt.asked = dict(self.world.marks.asked.get(attempt.user, {}))
        if answer["ok"]:
            self.world.counts[f"command: {attempt.event}"] += 1
            self.world.marks.ends(attempt.user, attempt.event, attempt.data, answer)
        self.world.counts["answer: ok" if answer["ok"] else f"answer: {answer['error']['code']}"] += 1
        self.world.tell("%s <- %s", attempt, answer)


def _command(event: str, data: object) -> Command[object] | ChatError:
    try:
        return read_command(event, data)
    except ChatError as error:
        return error


def _place(user: UserId, command: Command[object]) -> RoomId | None:
    return command.room_id(user, command.key or "") if isinstance(command, RoomCommand) else None


def _place_meant(user: UserId, event: str, data: object) -> RoomId | None:
    """Where a command that is refused for itself takes its turn."""
    if not issubclass(COMMANDS.get(event, Command), RoomCommand):
        return None
    match data:
        case {"room": str(room)}:
            return room
        case {"to": str(other)} if is_user_id(other):
            return private_room_id(user, other)
        case _:
            return None
