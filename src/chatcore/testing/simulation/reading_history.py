"""What must be true of the answers of `history` and `sync`."""

from collections.abc import Sequence

from ...commands.reading import Cursor, History, Sync
from ...domain.entries import Message
from ...ids import Seq, private_room_id
from ...protocol import Object, entry_object
from .attempts import Attempt
from .climate import NOBODY
from .logs import Log, Logs
from .reading_bounds import REFUSED, size_of, wrong_head, wrong_refusal
from .reading_marks import wrong_me
from .world import World

EVENTS_MAX = 200
FULL = 440 * 1024
"""An answer of 512 KiB may end early from here on: a server counts the bytes of each entry from above."""


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
    if wrong := _cut_short(log, attempt, command, answer, there):
        return wrong
    if isinstance(command.anchor, int) and command.anchor in there and command.anchor not in seqs:
        return "the anchor is not in its page"
    return None


def _cut_short(log: Log, attempt: Attempt, command: History, answer: Object, there: Sequence[Seq]) -> str | None:
    """Whether a page has fewer entries than were asked for, though there was space for one more."""
    seqs, head = [entry["seq"] for entry in answer["entries"]], answer["head"]
    match command.anchor:
        case "newest":
            place, default = head + 1, (50, 0)
        case "oldest":
            place, default = 0, (0, 50)
        case int(seq) if seq <= head:
            place, default = seq, (25, 25)
        case _:
            return None  # how much is asked for depends on what is unread, or on which head there was
    before, after = default if command.before is command.after is None else (command.before or 0, command.after or 0)
    below, above = [seq for seq in there if seq < place], [seq for seq in there if seq > place]
    lacking = {*below[len(below) - min(before, len(below)) :], *above[:after]}.difference(seqs)
    if not lacking:
        return None
    entries = (entry_object(log.messages.present(seq, head, attempt.user)) for seq in lacking)
    size = size_of(answer) + max(map(size_of, entries))
    return f"{len(lacking)} entries are left out of {size} bytes" if size <= FULL else None


def sync(world: World, attempt: Attempt, command: Sync, answer: Object, logs: Logs) -> str | None:
    if not answer["ok"]:
        return "it was never to be refused"
    if list(answer["rooms"]) != list(command.cursors):
        return "not the rooms that were asked for"
    for room, cursor in command.cursors.items():
        if wrong := _wrong_sync(world, attempt, cursor, logs[room], answer["rooms"][room]):
            return f"{room}: {wrong}"
    left_out = [
        _missing_size(logs[room], attempt, cursor, answer["rooms"][room])
        for room, cursor in command.cursors.items()
        if answer["rooms"][room]["status"] == "gap" and answer["rooms"][room]["head"] - cursor.seq <= EVENTS_MAX
    ]
    if left_out and size_of(answer) + left_out[0] <= FULL:
        return "events was due"
    if len(left_out) > 1:
        world.excuse("a gap of a room that would fit: one named before it did not")
    return None


def _missing_size(log: Log, attempt: Attempt, cursor: Cursor, one: Object) -> int:
    """The bytes of the entries that a `sync` leaves out."""
    head = one["head"]
    present = (log.messages.present(seq, head, attempt.user) for seq in range(cursor.seq + 1, head + 1))
    return sum(size_of(entry_object(entry)) for entry in present)


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
    if head - cursor.seq > EVENTS_MAX:
        return None if one["status"] == "gap" else "gap was due"
    if one["status"] == "gap" and cursor.seq < head:
        return None  # the answer is full, which is judged for all its rooms together
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
