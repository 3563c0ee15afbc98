"""The shared parts of a run: its random numbers, its time, its faults, and the records that the checks use."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from attrs import define, field, frozen

from ...commands.blocks import BlockUser, UnblockUser
from ...commands.command import Command, RoomCommand
from ...commands.table import COMMANDS
from ...domain.entries import Entry
from ...domain.state import RoomState
from ...errors import ChatError
from ...ids import Key, RoomId, Seq, UserId, is_user_id, private_room_id
from ...ports.pushes import ByeCode
from ...protocol import Object, read_command
from ..clock import ShuffledLoop
from .processes import CancelAt, Cancellation, Process
from .profile import FaultInjector, InjectedError, InjectedRuntimeError, InjectedValueError, WorldProfile
from .reference_log import BlockTimes, MarkerBounds, ReferenceLog, SocketTimes, StoredLog

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@frozen
class PushedEntry:
    """An entry that a node pushed to a socket of ``user``."""

    at: float
    process: Process
    user: UserId
    entry: Entry


@frozen
class PushedTyping:
    """The users whom a node pushed to a socket of ``user`` as typing in a room."""

    at: float
    process: Process
    user: UserId
    room: RoomId
    users: Sequence[UserId]


@define(eq=False, kw_only=True)
class Attempt:
    """One delivery of a command to one node, and its answer."""

    user: UserId
    name: str
    data: object
    command: Command[object] | ChatError
    """The command that the node must read from ``name`` and ``data``, or the error that refuses them."""
    process: Process
    over_socket: bool
    heads_before: Mapping[RoomId, Seq]
    """The head that each room had at least when the node received the command."""
    heads_after: Mapping[RoomId, Seq] = field(factory=dict)
    """The head that each room had at most when the node answered."""
    markers_before: Mapping[RoomId, Mapping[str, Seq]]
    """The lowest positions of the user that an answer may show."""
    markers_after: Mapping[RoomId, Mapping[str, Seq]] = field(factory=dict)
    """The highest positions of the user that an answer may show, unless the user joined."""
    answer: Object | None = None
    started_at: float
    took_s: float = 0
    node_stopped: bool = False
    """Whether the node was stopping when it answered."""
    error_injected: bool = False
    """Whether a port or a callback of the host raised an `InjectedError` on the node meanwhile."""
    port_failed: bool = False
    """Whether a port of the node failed or was slow meanwhile, or the node was blocked."""
    queue_room: RoomId | None = None
    """The room that orders the answer of the command, if any."""
    queued: bool = False
    """Whether the socket has accepted the command."""
    must_fail_with: str | None = None
    """The error code of an earlier command of the same socket and room. This command must fail with it too."""

    @property
    def key(self) -> Key | None:
        key = self.data.get("key") if isinstance(self.data, dict) else None
        return key if isinstance(key, str) else None

    def states_of(self, log: StoredLog) -> Sequence[RoomState]:
        """Return the states that the room of ``log`` may have had while the node had the command."""
        return log.states_between(self.heads_before.get(log.room, 0), self.heads_after.get(log.room, 0))

    def __str__(self) -> str:
        return f"{self.user}: {self.name} {self.data}"


class World:
    """The shared parts of one run. Every random number of the run comes from ``random``."""

    loop: ShuffledLoop

    def __init__(
        self,
        seed: int,
        *,
        tracing: bool,
        cancel_at: CancelAt | None = None,
        adapt_profile: Callable[[WorldProfile], WorldProfile] | None = None,
    ) -> None:
        self.seed = seed
        self.random: Random = Random(seed)
        self.profile: WorldProfile = WorldProfile.drawn(self.random)
        if adapt_profile:
            self.profile = adapt_profile(self.profile)
        self.counts: Counter[str] = Counter()
        self.faults: FaultInjector = FaultInjector(self.random, self.profile.rates, self.counts)
        self.cancellation: Cancellation = Cancellation(cancel_at, self.faults, self.counts)
        self.cancelled_call: str | None = cancel_at.call if cancel_at else None
        """The name of the calls that are cancelled. The driver makes them frequent."""
        self.users: Sequence[UserId] = self.profile.users
        self.epochs: list[str] = [f"epoch-{seed}"]
        self.attempts: list[Attempt] = []
        self.attempts_by_key: dict[tuple[UserId, Key], list[Attempt]] = defaultdict(list)
        self.reference: ReferenceLog = ReferenceLog()
        self.markers: MarkerBounds = MarkerBounds()
        self.blocks: BlockTimes = BlockTimes()
        self.sockets: list[SocketTimes] = []
        self.pushed: list[PushedEntry] = []
        self.pushed_typing: list[PushedTyping] = []
        self.typing_pushed_at: dict[tuple[Process, RoomId], float] = {}
        """When each process pushed last who types in a room."""
        self.announced_invitations: list[tuple[float, UserId, RoomId, Seq]] = []
        """The invitations that the push `room` has announced: when, to whom, the room, and the invitation's seq."""
        self.announced_joins: set[tuple[UserId, RoomId, Seq]] = set()
        """The joins that the push `room` has announced: user, room, and the seq of the join."""
        self.blocked_nodes = 0
        self.closable: set[tuple[ByeCode, str]] = set()
        """The sockets that may be closed as `kicked`, and the sessions whose sockets may be closed as `signed_out`."""
        self.outages: list[tuple[float, float]] = []
        """Start and end of the store's outages in a run without other faults."""
        self.violations: list[str] = []
        self.trace_lines: list[str] | None = [] if tracing else None
        self.context: Context = copy_context()
        self._injected_at: dict[Process, float] = {}
        self._ids = 0

    @property
    def epoch(self) -> str:
        return self.epochs[-1]

    @property
    def now(self) -> float:
        return self.loop.time()

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def clock(self, skew_s: float = 0) -> datetime:
        """Return the wall-clock time in whole milliseconds on a node with a clock that is wrong by ``skew_s``."""
        return NOON + timedelta(milliseconds=int((self.now + skew_s) * 1000))

    def injected_error(self, process: Process) -> InjectedError:
        """Return an error for a port or a callback of ``process`` to raise, and note the time."""
        self.note_injected(process)
        return self.random.choice((InjectedValueError, InjectedRuntimeError))("injected")

    def note_injected(self, process: Process) -> None:
        """Note that an injected error reaches ``process`` now."""
        self._injected_at[process] = self.now

    def error_injected(self, process: Process, since: float) -> bool:
        """Return whether an error was injected into ``process`` at ``since`` or later."""
        return self._injected_at.get(process, float("-inf")) >= since

    def call_later(self, seconds: float, function: Any, *arguments: object) -> None:
        """Call ``function`` after ``seconds``, outside all processes. With 0 it is called soon."""
        if seconds > 0:
            self.loop.call_later(seconds, function, *arguments, context=self.context)
        else:
            self.loop.call_soon(function, *arguments, context=self.context)

    def delay(self) -> float:
        """Draw how many seconds a message or a call takes without a fault; 0 once the faults have stopped."""
        random = self.random.random
        if self.faults.stopped:
            return 0
        return 0 if random() < self.profile.instant_share else random() * self.profile.delay_max_s

    def trace(self, text: str, *values: object) -> None:
        """Add a line to the trace, if the run keeps one. ``values`` are formatted into ``text`` only then."""
        if self.trace_lines is not None:
            self.trace_lines.append(f"{self.now:9.4f} {text % values if values else text}")

    def tolerate(self, reason: str) -> None:
        """Count a case that is checked less strictly, and why. ``docs/simulation.md`` lists every reason."""
        self.counts[f"tolerated: {reason}"] += 1

    def violation(self, text: str) -> None:
        """Record a broken promise."""
        self.violations.append(text)
        self.trace("VIOLATION %s", text)

    def start_attempt(self, user: UserId, name: str, data: object, process: Process, *, over_socket: bool) -> Attempt:
        """Record that a node receives a command now."""
        command = _command(name, data)
        self.markers.command_started(user, name, data)
        if isinstance(command, BlockUser | UnblockUser):
            self.blocks.started((user, command.user), process, self.now, on=isinstance(command, BlockUser))
        attempt = Attempt(
            user=user,
            name=name,
            data=data,
            command=command,
            process=process,
            over_socket=over_socket,
            started_at=self.now,
            heads_before=dict(self.reference.heads_min),
            markers_before=dict(self.markers.lowest.get(user, {})),
            queue_room=_room_of(user, command) if isinstance(command, Command) else _room_of_invalid(user, name, data),
        )
        self.attempts.append(attempt)
        if attempt.key is not None:
            self.attempts_by_key[user, attempt.key].append(attempt)
        self.trace("%s: %s %s%s", user, name, data, "" if over_socket else " (no socket)")
        return attempt

    def end_attempt(self, attempt: Attempt, answer: Object) -> None:
        """Record the answer of a command."""
        if attempt.answer is not None:
            self.violation(f"answered twice: {attempt} -> {attempt.answer}, {answer}")
        attempt.answer = answer
        attempt.node_stopped = attempt.process.stopping
        attempt.error_injected = self.error_injected(attempt.process, attempt.started_at)
        attempt.port_failed = attempt.process.port_failed_at >= attempt.started_at
        attempt.took_s = self.now - attempt.started_at
        if isinstance(attempt.command, BlockUser | UnblockUser):
            pair = attempt.user, attempt.command.user
            self.blocks.ended(pair, attempt.process, attempt.started_at, self.now, succeeded=answer["ok"])
        attempt.heads_after = dict(self.reference.heads_max)
        attempt.markers_after = dict(self.markers.highest.get(attempt.user, {}))
        if answer["ok"]:
            self.counts[f"command: {attempt.name}"] += 1
            self.markers.command_answered(attempt.user, attempt.name, attempt.data, answer)
        self.counts["answer: ok" if answer["ok"] else f"answer: {answer['error']['code']}"] += 1
        self.trace("%s <- %s", attempt, answer)


def _command(name: str, data: object) -> Command[object] | ChatError:
    try:
        return read_command(name, data)
    except ChatError as error:
        return error


def _room_of(user: UserId, command: Command[object]) -> RoomId | None:
    return command.room_id(user, command.key or "") if isinstance(command, RoomCommand) else None


def _room_of_invalid(user: UserId, name: str, data: object) -> RoomId | None:
    """Return the room that orders the refusal of an invalid command."""
    if not issubclass(COMMANDS.get(name, Command), RoomCommand):
        return None
    match data:
        case {"room": str(room)}:
            return room
        case {"to": str(other)} if is_user_id(other):
            return private_room_id(user, other)
        case _:
            return None
