"""What must be true of one's own positions in a room, wherever an answer tells them."""

from ...commands.marking import Mark
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
    if any(_may_be_unread(world, log, attempt, state.head, answer) for state in members):
        return None
    return "never were so many unread"


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
    return None if _may_be_unread(world, log, attempt, head, me) else "never were so many unread"


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


def _may_be_unread(world: World, log: Log, attempt: Attempt, head: Seq, me: Object) -> bool:
    """Where ``unread_from`` was ever said, it may count from there."""
    said = world.marks.unread_from.get((attempt.user, log.room), ())
    starts = {me["read"], *(seq - 1 for seq in said if 0 < seq <= me["read"])}
    return any(me["unread"] == unread(log, attempt.user, start, head) for start in starts)


def unread(log: Log, user: UserId, above: Seq, head: Seq) -> int:
    """How many messages of others, not deleted by ``head``, stand above a seq."""
    count = 0
    for entry in log.entries[above:head]:
        if entry.author != user and isinstance(entry.event, Message):
            erased_at = log.messages.erased_at(entry.seq)
            count += erased_at is None or erased_at > head
    return min(count, UNREAD_MAX)
