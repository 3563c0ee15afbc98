"""What must be true of the answers of `history` and `sync`."""

from ...commands.reading import Cursor, History, Sync
from ...domain.entries import Message
from ...ids import Seq, private_room_id
from ...protocol import Object, entry_object
from .attempts import Attempt
from .climate import NOBODY
from .logs import Log, Logs
from .reading_bounds import REFUSED, wrong_head, wrong_refusal
from .reading_marks import wrong_me
from .world import World


def history(world: World, attempt: Attempt, command: History, answer: Object, logs: Logs) -> str | None:
    room = command.room if command.with_ is None else private_room_id(attempt.user, command.with_)
    assert room is not None
    log = logs[room]
    if not answer["ok"]:
        if command.with_ == NOBODY:
            return None if answer == REFUSED else "not_found was due"
        return wrong_refusal(log, attempt, "read", answer, unborn_is_fine=command.with_ is not None)
    if wrong := wrong_head(log, attempt, answer["head"]):
        return wrong
    if answer["head"] == 0:
        return None if command.with_ is not None and not answer["entries"] else "it is unborn"
    if not log.is_member(attempt.user, log.states[answer["head"]]):
        return "history for a stranger"
    return _wrong_page(log, attempt, command, answer)


def _wrong_page(log: Log, attempt: Attempt, command: History, answer: Object) -> str | None:
    head, seqs = answer["head"], [entry["seq"] for entry in answer["entries"]]
    if wrong := _wrong_entries(log, attempt, answer["entries"], head):
        return wrong
    there = [entry.seq for entry in log.entries[:head] if not command.messages_only or isinstance(entry.event, Message)]
    if seqs and seqs != [seq for seq in there if seqs[0] <= seq <= seqs[-1]]:
        return "the page has a hole"
    if seqs and answer["has_before"] != (seqs[0] > there[0]):
        return "has_before is wrong"
    if seqs and answer["has_after"] != (seqs[-1] < there[-1]):
        return "has_after is wrong"
    if isinstance(command.anchor, int) and command.anchor in there and command.anchor not in seqs:
        return "the anchor is not in its page"
    return None


def sync(world: World, attempt: Attempt, command: Sync, answer: Object, logs: Logs) -> str | None:
    if not answer["ok"]:
        return "it was never to be refused"
    if list(answer["rooms"]) != list(command.cursors):
        return "not the rooms that were asked for"
    for room, cursor in command.cursors.items():
        if wrong := _wrong_sync(world, attempt, cursor, logs[room], answer["rooms"][room]):
            return f"{room}: {wrong}"
    return None


def _wrong_sync(world: World, attempt: Attempt, cursor: Cursor, log: Log, one: Object) -> str | None:
    world.counts[f"sync: {one['status']}"] += 1
    if one["status"] == "gone":
        never = all(log.is_member(attempt.user, state) for state in log.during(attempt))
        return "gone for a member" if never else None
    head = one["head"]
    if wrong := wrong_head(log, attempt, head):
        return wrong
    if not log.is_member(attempt.user, log.states[head]):
        return "shown to a stranger"
    return wrong_me(world, log, attempt, head, one["me"]) or _wrong_events(log, attempt, cursor, one)


def _wrong_events(log: Log, attempt: Attempt, cursor: Cursor, one: Object) -> str | None:
    head = one["head"]
    known = cursor.seq == 0 or cursor.epoch == one["epoch"]
    if not known or cursor.seq > head:
        return None if one["status"] == "reset" else "reset was due"
    if head - cursor.seq > 200:
        return None if one["status"] == "gap" else "gap was due"
    if one["status"] != "events":
        return "events was due"
    if [entry["seq"] for entry in one["entries"]] != list(range(cursor.seq + 1, head + 1)):
        return "not everything that is missing"
    return _wrong_entries(log, attempt, one["entries"], head)


def _wrong_entries(log: Log, attempt: Attempt, entries: list[Object], head: Seq) -> str | None:
    """Messages are shown in their present state, and no text of one that has been deleted."""
    for entry in entries:
        seq = entry["seq"]
        if seq > head or entry != entry_object(log.messages.present(seq, head, attempt.user)):
            return f"not what stands at {seq}"
    return None
