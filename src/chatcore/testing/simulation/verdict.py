"""What must be true of every answer and every entry, once the logs are known."""

from collections.abc import Iterator

from ...commands.command import Command, ReadingCommand, RoomCommand
from ...commands.table import COMMANDS
from ...domain.entries import Entry
from ...domain.rooms import decide
from ...domain.state import RoomState
from ...errors import ChatError
from ...ids import UserId, is_room_id
from ...protocol import Object, answer_object, error_object
from .attempts import Attempt, Attempts
from .logs import Log, Logs
from .readings import READINGS
from .world import NOON, World


def judge_entries(world: World, attempts: Attempts, logs: Logs) -> None:
    """Every entry is what some command of its author's comes to on exactly the room that it landed on."""
    given = _room_commands(attempts)
    for log in logs:
        for number, entry in enumerate(log.entries, start=1):
            if entry.seq != number:
                world.fault(f"{log.room} has {entry.seq} where {number} was due")
        keys = [(entry.author, entry.key) for entry in log.entries]
        if len(keys) != len(set(keys)):
            world.fault(f"{log.room} holds a key twice")
        for entry in log.entries:
            if not any(_makes(log, command, entry) for command in given.get((log.room, entry.author), ())):
                world.fault(f"nobody can have written {entry}")


def _room_commands(attempts: Attempts) -> dict[tuple[str, UserId], list[RoomCommand[object]]]:
    found: dict[tuple[str, UserId], list[RoomCommand[object]]] = {}
    for attempt in attempts.all:
        command = attempt.command
        if isinstance(command, RoomCommand):
            room = command.room_id(attempt.user, command.key or "")
            found.setdefault((room, attempt.user), []).append(command)
    return found


def _makes(log: Log, command: RoomCommand[object], entry: Entry) -> bool:
    if command.key not in (None, entry.key):
        return False
    state = log.states[entry.seq - 1]
    facts = log.facts(state, command.target, list(command.wants(state)))
    return decide(state, facts, entry.author, command, entry.key, entry.at) == entry


def judge_answers(world: World, attempts: Attempts, logs: Logs) -> None:
    """Every answer was right at some moment between command and answer."""
    for attempt in attempts.all:
        if attempt.answer is not None and (wrong := _wrong(world, attempt, attempt.answer, logs)):
            world.fault(f"{wrong}: {attempt} -> {attempt.answer} (low {attempt.low}, high {attempt.high})")


def _wrong(world: World, attempt: Attempt, answer: Object, logs: Logs) -> str | None:
    command = attempt.command
    if not answer["ok"] and answer["error"]["temporary"]:
        return _wrong_failure(attempt, command, answer)
    match command:
        case ChatError():
            return None if answer == _failure(command) else f"{command.code} was due"
        case RoomCommand():
            return _wrong_room_answer(world, attempt, command, answer, logs)
        case ReadingCommand():
            return READINGS[command.name](world, attempt, command, answer, logs)
        case _:
            raise TypeError(type(command))


def _wrong_failure(attempt: Attempt, command: Command[object] | ChatError, answer: Object) -> str | None:
    """What appends is given up after 5 s only, unless the directory fails, an earlier one failed, or the node stops."""
    if answer["error"]["code"] != "unavailable":
        return "a fault of our own"
    named = isinstance(command, RoomCommand) and command.wants(RoomState(room="unborn"))
    if isinstance(command, RoomCommand) and not (named or attempt.doomed or attempt.stopped or attempt.took > 4.9):
        return f"given up after {attempt.took:.1f} s"
    return None


def _failure(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}


def _wrong_room_answer(
    world: World, attempt: Attempt, command: RoomCommand[object], answer: Object, logs: Logs
) -> str | None:
    room = command.room_id(attempt.user, command.key or "")
    log = logs[room]
    stands = log.by_key.get((attempt.user, command.key)) if command.key else None
    if not answer["ok"]:
        return _wrong_refusal(log, attempt, command, answer, stands)
    if command.key is None and "seq" in answer:
        stands = log.entries[answer["seq"] - 1] if answer["seq"] <= log.head else None
    if stands is None:
        return _wrong_nothing(log, attempt, command, answer)
    if stands.digest != command.digest:
        return f"key_reused was due, of {stands}"
    due = answer_object(command.answer(stands, duplicate=answer["duplicate"], epoch=answer.get("epoch", "")))
    if answer != {"ok": True, **due}:
        return f"{due} was due"
    if answer.get("epoch", world.epoch) not in world.epochs:
        return "no such epoch"
    return _wrong_duplicate(world, attempt, stands, answer)


def _wrong_duplicate(world: World, attempt: Attempt, entry: Entry, answer: Object) -> str | None:
    if answer["duplicate"]:
        return None if entry.seq <= attempt.high.get(entry.room, 0) else "it was not there yet"
    if (entry.author, entry.key) in world.truth.unsure:
        return None
    return None if entry.seq > attempt.low.get(entry.room, 0) else "it was there before"


def _wrong_nothing(log: Log, attempt: Attempt, command: RoomCommand[object], answer: Object) -> str | None:
    if any(outcome is None for outcome in _outcomes(log, attempt, command)) and "seq" not in answer:
        return None
    return "it is not in the log"


def _wrong_refusal(
    log: Log, attempt: Attempt, command: RoomCommand[object], answer: Object, stands: Entry | None
) -> str | None:
    code = answer["error"]["code"]
    if stands and stands.seq <= attempt.low.get(log.room, 0):
        return None if code == "key_reused" and stands.digest != command.digest else f"its key stood in {stands}"
    if code == "key_reused":
        return None if stands and stands.digest != command.digest else "nobody had used the key"
    if not is_room_id(log.room) and code == "not_found":
        return None
    for outcome in _outcomes(log, attempt, command):
        if isinstance(outcome, ChatError) and answer == _failure(outcome):
            return None
    return "it was never to be refused so"


def _outcomes(log: Log, attempt: Attempt, command: RoomCommand[object]) -> Iterator[Entry | ChatError | None]:
    """What the command could have come to while the node had it."""
    for state in log.during(attempt):
        facts = log.facts(state, command.target, list(command.wants(state)))
        yield decide(state, facts, attempt.user, command, command.key or "", NOON)


def judge_shown(world: World, logs: Logs) -> None:
    """Nobody was pushed an entry of a room in which they were no member at that seq."""
    for user, room, seq in sorted(world.shown):
        log = logs[room]
        if seq > log.head:
            world.fault(f"{user} was pushed {room} {seq}, which is not in the log")
        elif not log.is_member(user, log.states[seq]):
            world.fault(f"{user}, a stranger, was pushed {room} {seq}")


def unjudged() -> set[str]:
    """The commands that nothing here knows how to judge."""
    return {name for name, command in COMMANDS.items() if not issubclass(command, RoomCommand) and name not in READINGS}
