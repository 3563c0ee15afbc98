"""What must be true of one's own positions in a room, wherever an answer tells them."""

from collections.abc import Sequence

from ...commands.markers import Mark
from ...domain.entries import Message
from ...domain.state import UNREAD_MAX
from ...ids import Seq, UserId
from ...protocol import Object
from .attempts import Attempt
from .logs import Log, Logs
from .marks import POSITIONS
from .reading_bounds import wrong_refusal
from .world import World


def mark(world: World, attempt: Attempt, command: Mark, answer: Object, logs: Logs) -> str | None:
    log = logs[command.room]
    if not answer["ok"]:
        return _wrong_refusal(log, attempt, command, answer)
    read, delivered = command.read or 0, max(command.read or 0, command.delivered or 0)
    if answer["read"] < read or answer["delivered"] < delivered or command.muted not in (None, answer["muted"]):
        return "it was not carried out"
    members = [state for state in log.during(attempt) if state.member(attempt.user)]
    if not members:
        return "a stranger has marked it"
    if wrong := _wrong_positions(log, attempt, members[-1].head, answer):
        return wrong
    starts = _starts(world, log, attempt, answer["read"])
    if command.unread_from is not None:
        starts = {min(answer["read"], command.unread_from - 1)}
    elif command.read is not None:
        starts = {answer["read"]}
    return _wrong_unread(world, log, attempt, starts, [state.head for state in members], answer)


def _wrong_refusal(log: Log, attempt: Attempt, command: Mark, answer: Object) -> str | None:
    field = answer["error"].get("field")
    if answer["error"]["code"] == "invalid" and field in ("read", "delivered", "unread_from"):
        value: Seq = getattr(command, field) or 0
        above = any(state.member(attempt.user) and value > state.head for state in log.during(attempt))
        return None if above else "it was never above head"
    return wrong_refusal(log, attempt, "mark", answer)


def wrong_me(world: World, log: Log, attempt: Attempt, head: Seq, me: Object) -> str | None:
    """Whether ``me`` of a Room shows positions that cannot have been the user's as of ``head``."""
    if wrong := _wrong_positions(log, attempt, head, me):
        return wrong
    return _wrong_unread(world, log, attempt, _starts(world, log, attempt, me["read"]), [head], me)


def _wrong_positions(log: Log, attempt: Attempt, head: Seq, me: Object) -> str | None:
    """They never go back, and nobody has read what nobody said."""
    user, room = attempt.user, log.room
    started, joined = log.joined(user, attempt.low.get(room, 0)), log.joined(user, head)
    told, asked = attempt.told.get(room, {}), attempt.asked.get(room, {})
    for name in POSITIONS:
        low, high = max(told.get(name, 0), started), min(max(asked.get(name, 0), joined), head)
        if not low <= me[name] <= high:
            return f"{name} from {low} to {high} was due"
    return None if me["read"] <= me["delivered"] else "read what was not delivered"


def _starts(world: World, log: Log, attempt: Attempt, read: Seq) -> set[Seq]:
    """Above which seqs may be counted; where ``unread_from`` was ever said, perhaps from there."""
    said = world.marks.unread_from.get((attempt.user, log.room), ())
    return {read, *(seq - 1 for seq in said if 0 < seq <= read)}


def _wrong_unread(
    world: World, log: Log, attempt: Attempt, starts: set[Seq], heads: Sequence[Seq], me: Object
) -> str | None:
    fitting = {start for start in starts for head in heads if me["unread"] == unread(log, attempt.user, start, head)}
    if fitting and me["read"] not in fitting and len(starts) > 1:
        world.excuse("unread is counted from some `unread_from` of the user's")
    return None if fitting else "never were so many unread"


def unread(log: Log, user: UserId, above: Seq, head: Seq) -> int:
    """How many messages of others, not deleted by ``head``, stand above a seq."""
    count = 0
    for entry in log.entries[above:head]:
        if entry.author != user and isinstance(entry.event, Message):
            erased_at = log.messages.erased_at(entry.seq)
            count += erased_at is None or erased_at > head
    return min(count, UNREAD_MAX)
