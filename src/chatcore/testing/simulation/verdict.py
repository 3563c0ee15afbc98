"""What must be true of every answer and every entry, once the logs are known."""

from collections.abc import Iterator

from ...commands.command import ChangeCommand, Command, ReadingCommand, RoomCommand
from ...domain.decider import decide
from ...domain.entries import Entry
from ...domain.state import RoomState
from ...errors import ChatError
from ...ids import Key, RoomId, Seq, UserId, is_room_id, private_room_id
from ...protocol import KINDS, Object, answer_object, error_object
from .attempts import Attempt, Attempts
from .logs import Log, Logs
from .reading_bounds import ANSWER_BYTES_MAX, size_of
from .readings import READINGS
from .world import NOON, World

PATIENCE_S = 4.9
"""A queued command fails after 5 s; not all of what it took was in the queue."""


RECOVERY_S = 1
"""Within so long of the store's return a room carries commands out again."""


def judge_entries(world: World, attempts: Attempts, logs: Logs) -> None:
    """Every entry is what some command of its author's comes to on exactly the room that it landed on; the store holds
    it as it was written, or without its text where that has been deleted."""
    given = _Given(attempts)
    for log in logs:
        for number, (entry, stored) in enumerate(zip(log.entries, log.stored, strict=True), start=1):
            world.counts[f"kind: {KINDS[type(entry.event)]}"] += 1
            if entry.seq != number:
                world.fault(f"{log.room} has {entry.seq} where {number} was due")
            if stored != log.messages.written(number, log.head):
                world.fault(f"the store holds {stored}, which was written as {entry}")
            if not any(_makes(log, command, entry) for command in given.of(entry)):
                world.fault(f"nobody can have written {entry}")
        if len(log.by_key) != log.head:
            world.fault(f"{log.room} holds a key twice")
        _judge_pair(world, log)


def _judge_pair(world: World, log: Log) -> None:
    """One pair, one room: its id is the one that its two users always have."""
    state = log.states[-1]
    pair = sorted(state.members)
    if state.kind == "private" and log.room != private_room_id(pair[0], pair[-1]):
        world.fault(f"{log.room} is not the room of {pair}")


class _Given:
    """The commands that were given, by what an entry tells of them."""

    def __init__(self, attempts: Attempts) -> None:
        self._by_key: dict[tuple[RoomId, UserId, Key | None], list[RoomCommand[object]]] = {}
        for attempt in attempts.all:
            command = attempt.command
            if isinstance(command, RoomCommand):
                room = command.room_id(attempt.user, command.key or "")
                held = self._by_key.setdefault((room, attempt.user, command.key), [])
                if command not in held:
                    held.append(command)

    def of(self, entry: Entry) -> Iterator[RoomCommand[object]]:
        for key in (entry.key, None):
            yield from self._by_key.get((entry.room, entry.author, key), ())


def _makes(log: Log, command: RoomCommand[object], entry: Entry) -> bool:
    state = log.states[entry.seq - 1]
    facts = log.facts(state, entry.author, command.target, list(command.required_users(state)))
    return decide(state, facts, entry.author, command, entry.key, entry.at) == entry


def judge_answers(world: World, attempts: Attempts, logs: Logs) -> None:
    """Every answer was right at some moment between command and answer."""
    for attempt in attempts.all:
        if attempt.answer is not None and (wrong := _wrong(world, attempts, attempt, attempt.answer, logs)):
            world.fault(f"{wrong}: {attempt} -> {attempt.answer} (low {attempt.low}, high {attempt.high})")


def _wrong(world: World, attempts: Attempts, attempt: Attempt, answer: Object, logs: Logs) -> str | None:
    command = attempt.command
    if not answer["ok"] and answer["error"]["temporary"]:
        return _wrong_failure(world, attempt, command, answer)
    match command:
        case ChatError():
            return None if answer == _failure(command) else f"{command.code} was due"
        case RoomCommand():
            return _wrong_room_answer(world, attempts, attempt, command, answer, logs)
        case ReadingCommand():
            if answer["ok"] and size_of(answer) > ANSWER_BYTES_MAX:
                return f"an answer of {size_of(answer)} bytes"
            return READINGS[command.name](world, attempt, command, answer, logs)
        case _:
            raise TypeError(type(command))


def _wrong_failure(world: World, attempt: Attempt, command: Command[object] | ChatError, answer: Object) -> str | None:
    """What is queued is given up after 5 s only, unless the directory fails, an earlier one failed, or the node stops.
    A refusal over a socket is queued behind earlier commands.

    It is `internal` only where a port or a callback of the host raised what it may not.
    """
    if answer["error"]["code"] == "internal":
        return None if attempt.raised or attempt.doomed == "internal" else "a fault of our own"
    appends = isinstance(command, RoomCommand)
    asks_directory = isinstance(command, RoomCommand) and bool(command.required_users(RoomState(room="unborn")))
    if attempt.stopped:
        world.excuse("unavailable: the node stops")
    elif attempt.doomed:
        world.excuse("unavailable: an earlier command of the socket failed")
    elif isinstance(command, RoomCommand | ChatError) and attempt.took > PATIENCE_S:
        world.excuse("unavailable: the command had its 5 s")
    elif (attempt.failed or attempt.raised) and (asks_directory or not appends):
        world.excuse("unavailable: the store, the directory or the authenticator failed")
    else:
        return f"given up after {attempt.took:.1f} s"
    return None


def judge_recovery(world: World, attempts: Attempts) -> None:
    """Within 1 s of the store's return commands succeed again, and none that came since then is given up.

    Where several nodes write to a room, one of them may lose every seq to the others until older commands are given up.
    """
    appending = [
        (one, one.began + one.took, one.answer["ok"])
        for one in attempts.all
        if isinstance(one.command, RoomCommand) and one.answer is not None
    ]
    for start, end in world.outages:
        for room in dict.fromkeys(one.place for one, _, _ in appending if start < one.began < end):
            done = [at for one, at, succeeded in appending if one.place == room and succeeded]
            if not any(end < at <= end + RECOVERY_S for at in done):
                world.fault(f"{room} did not recover within {RECOVERY_S} s of the store's return at {end:.1f}")
        for one, at, succeeded in appending:
            if succeeded or one.began < start or at < end + RECOVERY_S:
                continue
            if one.began < end and world.climate.nodes > 1:
                world.excuse("given up after an outage: its node lost every seq to other nodes")
            else:
                world.fault(f"given up {at - end:.1f} s after the store's return: {one}")


def _failure(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}


def _wrong_room_answer(
    world: World, attempts: Attempts, attempt: Attempt, command: RoomCommand[object], answer: Object, logs: Logs
) -> str | None:
    room = command.room_id(attempt.user, command.key or "")
    log = logs[room]
    stands = log.by_key.get((attempt.user, command.key)) if command.key else None
    if not answer["ok"]:
        return _wrong_refusal(world, log, attempt, command, answer, stands)
    if command.key is None and "seq" in answer:
        stands = _own_entry(log, attempt, answer["seq"])
    if stands is None or (isinstance(command, ChangeCommand) and "seq" not in answer):
        return _wrong_nothing(log, attempt, command, answer, stands)
    if not _may_be_taken_for(world, log, attempt, command, stands):
        return f"key_reused was due, of {stands}"
    due = answer_object(command.answer(stands, duplicate=answer["duplicate"], epoch=answer.get("epoch", "")))
    if answer != {"ok": True, **due}:
        return f"{due} was due"
    if answer.get("epoch", world.epoch) not in world.epochs:
        return "no such epoch"
    return _wrong_duplicate(world, attempts, attempt, stands, answer)


def _own_entry(log: Log, attempt: Attempt, seq: Seq) -> Entry | None:
    """The entry at ``seq``, if the user of a command without a key made it."""
    entry = log.entries[seq - 1] if seq <= log.head else None
    return entry if entry and entry.author == attempt.user else None


def _may_be_taken_for(world: World, log: Log, attempt: Attempt, command: RoomCommand[object], entry: Entry) -> bool:
    """Whether the command may be a repetition of ``entry``: "after a deletion whatever its content"."""
    if entry.digest == command.digest:
        return True
    erased_at = log.messages.erased_at(entry.seq)
    if erased_at is None or erased_at > attempt.high.get(log.room, 0):
        return False
    world.excuse("another content is taken for that of a deleted message")
    return True


def _may_be_reused(log: Log, attempt: Attempt, command: RoomCommand[object], entry: Entry) -> bool:
    erased_at = log.messages.erased_at(entry.seq)
    erased = erased_at is not None and erased_at <= attempt.low.get(log.room, 0)
    return not erased and entry.digest != command.digest


def _wrong_duplicate(world: World, attempts: Attempts, attempt: Attempt, entry: Entry, answer: Object) -> str | None:
    if answer["duplicate"]:
        if attempts.by_key.get((attempt.user, entry.key)) == [attempt]:
            return "it was the first attempt"
        return None if entry.seq <= attempt.high.get(entry.room, 0) else "it was not there yet"
    if entry.seq > attempt.low.get(entry.room, 0):
        return None
    tries = world.truth.unsure.get((attempt.node, entry.author, entry.key), ())
    if not any(at >= attempt.began and seq <= entry.seq for at, seq in tries):
        return "it was there before"
    world.excuse("no duplicate: the node's own append, of unknown outcome, may have written it")
    return None


def _wrong_nothing(
    log: Log, attempt: Attempt, command: RoomCommand[object], answer: Object, stands: Entry | None
) -> str | None:
    if stands and stands.seq <= attempt.low.get(log.room, 0):
        return f"its key stood in {stands}"
    if any(outcome is None for outcome in _outcomes(log, attempt, command)) and "seq" not in answer:
        return None
    return "it is not in the log"


def _wrong_refusal(
    world: World, log: Log, attempt: Attempt, command: RoomCommand[object], answer: Object, stands: Entry | None
) -> str | None:
    code = answer["error"]["code"]
    reused = stands is not None and _may_be_reused(log, attempt, command, stands)
    if stands and stands.seq <= attempt.low.get(log.room, 0):
        return None if code == "key_reused" and reused else f"its key stood in {stands}"
    if code == "key_reused":
        return None if reused else "nobody had used the key"
    if not is_room_id(log.room) and code == "not_found":
        world.excuse("not found: what was asked for is no id of a room")
        return None
    for outcome in _outcomes(log, attempt, command):
        if isinstance(outcome, ChatError) and answer == _failure(outcome):
            return None
    return "it was never to be refused so"


def _outcomes(log: Log, attempt: Attempt, command: RoomCommand[object]) -> Iterator[Entry | ChatError | None]:
    """What the command could have come to while the node had it."""
    for state in log.during(attempt):
        facts = log.facts(state, attempt.user, command.target, list(command.required_users(state)))
        yield decide(state, facts, attempt.user, command, command.key or "", NOON)
