"""What must be true of the answers of commands that read."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ...commands.reading import Cursor, History, ListRooms, Sync
from ...commands.rooms import GetRoom
from ...domain import permissions
from ...domain.entries import Message
from ...domain.state import RoomState
from ...errors import NotFound
from ...ids import Seq, private_room_id
from ...protocol import Object, entry_object, error_object
from .attempts import Attempt
from .climate import NOBODY
from .logs import Log, Logs
from .world import World

Reading: TypeAlias = Callable[[World, Attempt, Any, Object, Logs], str | None]


def _history(world: World, attempt: Attempt, command: History, answer: Object, logs: Logs) -> str | None:
    room = command.room if command.with_ is None else private_room_id(attempt.user, command.with_)
    assert room is not None
    log = logs[room]
    if not answer["ok"]:
        if command.with_ == NOBODY:
            return None if answer == _refused() else "not_found was due"
        return _wrong_refusal(log, attempt, answer, unborn_is_fine=command.with_ is not None)
    if wrong := _wrong_head(log, attempt, answer["head"]):
        return wrong
    if answer["head"] == 0:
        return None if command.with_ is not None and not answer["entries"] else "it is unborn"
    if not log.is_member(attempt.user, log.states[answer["head"]]):
        return "history for a stranger"
    return _wrong_page(log, command, answer)


def _wrong_page(log: Log, command: History, answer: Object) -> str | None:
    head, seqs = answer["head"], [entry["seq"] for entry in answer["entries"]]
    if wrong := _wrong_entries(log, answer["entries"], head):
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


def _sync(world: World, attempt: Attempt, command: Sync, answer: Object, logs: Logs) -> str | None:
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
    if wrong := _wrong_head(log, attempt, head):
        return wrong
    if not log.is_member(attempt.user, log.states[head]):
        return "shown to a stranger"
    known = cursor.seq == 0 or cursor.epoch == one["epoch"]
    if not known or cursor.seq > head:
        return None if one["status"] == "reset" else "reset was due"
    if head - cursor.seq > 200:
        return None if one["status"] == "gap" else "gap was due"
    if one["status"] != "events":
        return "events was due"
    if [entry["seq"] for entry in one["entries"]] != list(range(cursor.seq + 1, head + 1)):
        return "not everything that is missing"
    return _wrong_entries(log, one["entries"], head)


def _rooms(world: World, attempt: Attempt, command: ListRooms, answer: Object, logs: Logs) -> str | None:
    if not answer["ok"]:
        return None if command.after is not None else "it was never to be refused"
    listed = [room["room"] for room in answer["rooms"]]
    if len(set(listed)) != len(listed) or len(listed) > command.limit:
        return "too many"
    for room in answer["rooms"]:
        if wrong := _wrong_room(logs[room["room"]], attempt, room):
            return f"{room['room']}: {wrong}"
    if command.after is None and "next" not in answer:
        lacking = {log.room for log in logs if all(log.is_member(attempt.user, one) for one in log.during(attempt))}
        if lacking - set(listed):
            return f"{lacking - set(listed)} are left out"
    return None


def _room(world: World, attempt: Attempt, command: GetRoom, answer: Object, logs: Logs) -> str | None:
    log = logs[command.room]
    if answer["ok"]:
        return _wrong_room(log, attempt, answer)
    for state in log.during(attempt):
        refusal = permissions.refusal("get", state.kind, state.members.get(attempt.user))
        if refusal and answer["error"] == error_object(refusal):
            return None
    return "it was never to be refused so"


def _wrong_room(log: Log, attempt: Attempt, room: Object) -> str | None:
    """Whether a Room shows what was there as of its head."""
    if wrong := _wrong_head(log, attempt, room["head"]):
        return wrong
    state = log.states[room["head"]]
    if permissions.refusal("get", state.kind, state.members.get(attempt.user)):
        return "shown to a stranger"
    if (room["kind"], room.get("title"), room["members_count"]) != (state.kind, state.title, _count(state)):
        return "not what it was"
    member = state.members.get(attempt.user)
    if member is None:
        return None if not room.keys() & {"me", "last", "markers"} else "a stranger is shown too much"
    if room["me"]["role"] != member.role or room["last"]["seq"] != room["head"]:
        return "not as its member sees it"
    return None


def _count(state: RoomState) -> int:
    return sum(member.standing == "member" for member in state.members.values())


def _wrong_refusal(log: Log, attempt: Attempt, answer: Object, *, unborn_is_fine: bool) -> str | None:
    for state in log.during(attempt):
        if unborn_is_fine and state.kind is None:
            continue
        refusal = permissions.refusal("read", state.kind, state.members.get(attempt.user))
        if refusal and answer["error"] == error_object(refusal):
            return None
    return "it was never to be refused so"


def _refused() -> Object:
    return {"ok": False, "error": error_object(NotFound())}


def _wrong_head(log: Log, attempt: Attempt, head: Seq) -> str | None:
    low, high = attempt.low.get(log.room, 0), attempt.high.get(log.room, 0)
    return None if low <= head <= min(high, log.head) else f"a head from {low} to {high} was due"


def _wrong_entries(log: Log, entries: list[Object], head: Seq) -> str | None:
    for entry in entries:
        if entry["seq"] > head or entry != as_of(log, entry["seq"], head):
            return f"not what stands at {entry['seq']}"
    return None


def as_of(log: Log, seq: Seq, head: Seq) -> Object:
    """The entry at ``seq`` as `history` and `sync` show it at ``head``: messages in their present state."""
    return entry_object(log.entries[seq - 1])


READINGS: Mapping[str, Reading] = {"history": _history, "sync": _sync, "rooms": _rooms, "room.get": _room}
