"""Checks of the answers of commands that read: history, sync, rooms, members, and a user's own marker."""

import base64
from collections.abc import Mapping, Sequence

from ...commands.auth import RefreshAuth
from ...commands.history import History
from ...commands.markers import Mark, Unread
from ...commands.membership import ListMembers
from ...commands.rooms import GetRoom, ListPublicRooms, ListRooms
from ...commands.sync import Cursor, Sync
from ...domain import permissions
from ...domain.entries import Message
from ...domain.names import search_form, title_form
from ...domain.page_tokens import TitlePlace
from ...domain.serialization import compact_json
from ...domain.state import MARKERS_SHOWN_TO, UNREAD_MAX, RoomState
from ...errors import Unauthenticated
from ...ids import Seq, UserId, private_room_id
from ...protocol import Object, entry_object, error_object
from .host import REFRESHED_S, VALID_TOKEN
from .people_checker import NOT_FOUND, PEOPLE_CHECKS, ReadCheck
from .profile import UNKNOWN_USER
from .reference_log import POSITIONS, StoredLog, StoredLogs
from .world import Attempt, World

ANSWER_BYTES_MAX = 512 * 1024
ANSWER_BYTES_FULL = 440 * 1024
"""From here on an answer may end early: a node counts at least the bytes that each entry has."""
SYNC_EVENTS_MAX = 200


def size_of(answer: Object) -> int:
    """Return how many bytes an object has on the wire."""
    return len(compact_json(answer).encode())


def _check_head(log: StoredLog, attempt: Attempt, head: Seq) -> str | None:
    low, high = attempt.heads_before.get(log.room, 0), min(attempt.heads_after.get(log.room, 0), log.head)
    return None if low <= head <= high else f"head is {head}, expected {low} to {high}"


def _check_refusal(
    log: StoredLog, attempt: Attempt, action: permissions.Action, answer: Object, *, may_not_exist: bool = False
) -> str | None:
    """Check that ``action`` was refused like this in some state that the room had while the node had the command.

    With ``may_not_exist`` a room that does not exist refuses nothing.
    """
    for state in attempt.states_of(log):
        if may_not_exist and state.kind is None:
            continue
        refusal = permissions.refusal(action, state.kind, state.members.get(attempt.user))
        if refusal and answer["error"] == error_object(refusal):
            return None
    return "no state of the room refuses this"


# History and sync.


def _check_history(world: World, attempt: Attempt, command: History, answer: Object, logs: StoredLogs) -> str | None:
    room = command.room if command.peer is None else private_room_id(attempt.user, command.peer)
    assert room is not None
    log = logs[room]
    if not answer["ok"]:
        if command.peer == UNKNOWN_USER:
            return None if answer == NOT_FOUND else "expected not_found"
        return _check_refusal(log, attempt, "read", answer, may_not_exist=command.peer is not None)
    if wrong := _check_head(log, attempt, answer["head"]):
        return wrong
    if answer["head"] == 0:
        return None if command.peer is not None and not answer["entries"] else "the room does not exist"
    if not log.states[answer["head"]].member(attempt.user):
        return "the user is not a member"
    return _check_page(log, attempt, command, answer)


def _check_page(log: StoredLog, attempt: Attempt, command: History, answer: Object) -> str | None:
    head, seqs = answer["head"], [entry["seq"] for entry in answer["entries"]]
    if wrong := _check_entries(log, attempt, answer["entries"], head):
        return wrong
    all_seqs = [
        entry.seq for entry in log.entries[:head] if not command.messages_only or isinstance(entry.event, Message)
    ]
    if seqs and seqs != [seq for seq in all_seqs if seqs[0] <= seq <= seqs[-1]]:
        return "the page has a hole"
    if seqs and answer["has_before"] != (seqs[0] > all_seqs[0]):
        return "has_before is wrong"
    if seqs and answer["has_after"] != (seqs[-1] < all_seqs[-1]):
        return "has_after is wrong"
    if wrong := _check_page_size(log, attempt, command, answer, all_seqs):
        return wrong
    if isinstance(command.anchor, int) and command.anchor in all_seqs and command.anchor not in seqs:
        return "the anchor is not in its page"
    return None


def _check_page_size(
    log: StoredLog, attempt: Attempt, command: History, answer: Object, all_seqs: Sequence[Seq]
) -> str | None:
    """Check that a page leaves out entries that were asked for only if it has no space for one more."""
    seqs, head = [entry["seq"] for entry in answer["entries"]], answer["head"]
    match command.anchor:
        case "newest":
            anchor, default = head + 1, (50, 0)
        case "oldest":
            anchor, default = 0, (0, 50)
        case int(seq) if seq <= head:
            anchor, default = seq, (25, 25)
        case _:
            return None  # the requested entries depend on the unread messages, or on the head at that time
    before, after = default if command.before is command.after is None else (command.before or 0, command.after or 0)
    below, above = [seq for seq in all_seqs if seq < anchor], [seq for seq in all_seqs if seq > anchor]
    missing = {*below[len(below) - min(before, len(below)) :], *above[:after]}.difference(seqs)
    if not missing:
        return None
    entries = (entry_object(log.messages.presented(seq, head, attempt.user)) for seq in missing)
    size = size_of(answer) + max(map(size_of, entries))
    return f"{len(missing)} entries are missing, though {size} bytes fit" if size <= ANSWER_BYTES_FULL else None


def _check_entries(log: StoredLog, attempt: Attempt, entries: list[Object], head: Seq) -> str | None:
    """Check that messages are in their present state, and that no text of a deleted message is shown."""
    for entry in entries:
        seq = entry["seq"]
        if seq > head or entry != entry_object(log.messages.presented(seq, head, attempt.user)):
            return f"the entry {seq} differs from the log"
    return None


def _check_sync(world: World, attempt: Attempt, command: Sync, answer: Object, logs: StoredLogs) -> str | None:
    if not answer["ok"]:
        return "sync is never refused"
    if list(answer["rooms"]) != list(command.cursors):
        return "the answer has other rooms than the command"
    for room, cursor in command.cursors.items():
        if wrong := _check_synced_room(world, attempt, cursor, logs[room], answer["rooms"][room]):
            return f"{room}: {wrong}"
    gap_sizes = [
        _missing_bytes(logs[room], attempt, cursor, answer["rooms"][room])
        for room, cursor in command.cursors.items()
        if answer["rooms"][room]["status"] == "gap" and answer["rooms"][room]["head"] - cursor.seq <= SYNC_EVENTS_MAX
    ]
    if gap_sizes and size_of(answer) + gap_sizes[0] <= ANSWER_BYTES_FULL:
        return "expected events instead of gap: they fit"
    if len(gap_sizes) > 1:
        world.tolerate("a gap of a room that would fit: a room named before it did not fit")
    return None


def _missing_bytes(log: StoredLog, attempt: Attempt, cursor: Cursor, synced: Object) -> int:
    """Return how many bytes the entries have that a `sync` leaves out."""
    head = synced["head"]
    entries = (log.messages.presented(seq, head, attempt.user) for seq in range(cursor.seq + 1, head + 1))
    return sum(size_of(entry_object(entry)) for entry in entries)


def _check_synced_room(world: World, attempt: Attempt, cursor: Cursor, log: StoredLog, synced: Object) -> str | None:
    world.counts[f"sync: {synced['status']}"] += 1
    if synced["status"] == "gone":
        was_member = all(state.member(attempt.user) for state in attempt.states_of(log))
        return "gone, though the user is a member" if was_member else None
    head = synced["head"]
    if wrong := _check_head(log, attempt, head):
        return wrong
    if not log.states[head].member(attempt.user):
        return "the user is not a member"
    return _check_me(world, log, attempt, head, synced["me"]) or _check_events(log, attempt, cursor, synced)


def _check_events(log: StoredLog, attempt: Attempt, cursor: Cursor, synced: Object) -> str | None:
    head = synced["head"]
    is_known = cursor.seq == 0 or cursor.epoch == synced["epoch"]
    if not is_known or cursor.seq > head:
        return None if synced["status"] == "reset" else "expected reset"
    if head - cursor.seq > SYNC_EVENTS_MAX:
        return None if synced["status"] == "gap" else "expected gap"
    if synced["status"] == "gap" and cursor.seq < head:
        return None  # the answer is full: `_check_sync` checks that for all rooms together
    if synced["status"] != "events":
        return "expected events"
    if [entry["seq"] for entry in synced["entries"]] != list(range(cursor.seq + 1, head + 1)):
        return "entries are missing"
    return _check_entries(log, attempt, synced["entries"], head)


# Markers.


def _check_mark(world: World, attempt: Attempt, command: Mark, answer: Object, logs: StoredLogs) -> str | None:
    log = logs[command.room]
    if not answer["ok"]:
        return _check_mark_refusal(log, attempt, command, answer)
    read, delivered = command.read or 0, max(command.read or 0, command.delivered or 0)
    if answer["read"] < read or answer["delivered"] < delivered or command.muted not in (None, answer["muted"]):
        return "the answer does not show the marked positions"
    states = [state for state in attempt.states_of(log) if state.member(attempt.user)]
    if not states:
        return "the user is not a member"
    if wrong := _check_positions(log, attempt, states[-1].head, answer):
        return wrong
    starts = _unread_starts(world, log, attempt, answer["read"])
    if command.unread_from is not None:
        starts = {min(answer["read"], command.unread_from - 1)}
    elif command.read is not None:
        starts = {answer["read"]}
    return _check_unread(world, log, attempt, starts, [state.head for state in states], answer)


def _check_mark_refusal(log: StoredLog, attempt: Attempt, command: Mark, answer: Object) -> str | None:
    field = answer["error"].get("field")
    if answer["error"]["code"] == "invalid" and field in ("read", "delivered", "unread_from"):
        value: Seq = getattr(command, field) or 0
        is_above = any(state.member(attempt.user) and value > state.head for state in attempt.states_of(log))
        return None if is_above else f"{field} was never above the head"
    return _check_refusal(log, attempt, "mark", answer)


def _check_me(world: World, log: StoredLog, attempt: Attempt, head: Seq, me: Object) -> str | None:
    """Check that ``me`` of a Room object shows a marker that the user can have had at ``head``."""
    if wrong := _check_positions(log, attempt, head, me):
        return wrong
    return _check_unread(world, log, attempt, _unread_starts(world, log, attempt, me["read"]), [head], me)


def _check_positions(log: StoredLog, attempt: Attempt, head: Seq, me: Object) -> str | None:
    """Check that positions never decrease, and that none is above the marked positions and the join."""
    user, room = attempt.user, log.room
    joined_before, joined = log.joined_at(user, attempt.heads_before.get(room, 0)), log.joined_at(user, head)
    lowest, highest = attempt.markers_before.get(room, {}), attempt.markers_after.get(room, {})
    for name in POSITIONS:
        low, high = max(lowest.get(name, 0), joined_before), min(max(highest.get(name, 0), joined), head)
        if not low <= me[name] <= high:
            return f"{name} is {me[name]}, expected {low} to {high}"
    return None if me["read"] <= me["delivered"] else "read is above delivered"


def _unread_starts(world: World, log: StoredLog, attempt: Attempt, read: Seq) -> set[Seq]:
    """Return the seqs above which unread messages may be counted: ``read``, and below each ``unread_from``."""
    marked = world.markers.unread_from.get((attempt.user, log.room), ())
    return {read, *(seq - 1 for seq in marked if 0 < seq <= read)}


def _check_unread(
    world: World, log: StoredLog, attempt: Attempt, starts: set[Seq], heads: Sequence[Seq], me: Object
) -> str | None:
    matching = {
        start for start in starts for head in heads if me["unread"] == _unread_count(log, attempt.user, start, head)
    }
    if matching and me["read"] not in matching and len(starts) > 1:
        world.tolerate("unread is counted from some `unread_from` of the user")
    return None if matching else f"unread is {me['unread']}, which no state has"


def _unread_count(log: StoredLog, user: UserId, above: Seq, head: Seq) -> int:
    """Count the messages of other users above a seq that are not deleted at ``head``."""
    count = 0
    for entry in log.entries[above:head]:
        if entry.author != user and isinstance(entry.event, Message):
            redacted_at = log.messages.redacted_at(entry.seq)
            count += redacted_at is None or redacted_at > head
    return min(count, UNREAD_MAX)


# Rooms and members.


def _check_rooms(world: World, attempt: Attempt, command: ListRooms, answer: Object, logs: StoredLogs) -> str | None:
    if not answer["ok"]:
        return "rooms is never refused"
    listed = [room["room"] for room in answer["rooms"]]
    if len(set(listed)) != len(listed) or len(listed) > command.limit:
        return "a room is listed twice, or the page is too long"
    for room in answer["rooms"]:
        if wrong := _check_room_object(world, logs[room["room"]], attempt, room):
            return f"{room['room']}: {wrong}"
        if "me" not in room:
            return f"{room['room']}: the user is not a member"
    if command.after is None and "next" not in answer:
        always_member = {
            log.room for log in logs if all(state.member(attempt.user) for state in attempt.states_of(log))
        }
        if always_member - set(listed):
            return f"{always_member - set(listed)} are missing"
    return None


def _check_public_rooms(
    world: World, attempt: Attempt, command: ListPublicRooms, answer: Object, logs: StoredLogs
) -> str | None:
    if not answer["ok"]:
        return "rooms.public is never refused"
    prefix, start = search_form(command.prefix or ""), TitlePlace.start("", command.after)
    listed = [TitlePlace(title_form(room["title"]), room["room"]) for room in answer["rooms"]]
    if listed != sorted(set(listed)) or len(listed) > command.limit or (listed and listed[0] <= start):
        return "the page is not sorted, or too long"
    if not all(place.form.startswith(prefix) for place in listed):
        return "a title does not begin with the prefix"
    for room in answer["rooms"]:
        if room["kind"] != "public" or not room["members_count"]:
            return f"{room['room']} is not public, or has no members"
        if wrong := _check_room_object(world, logs[room["room"]], attempt, room):
            return f"{room['room']}: {wrong}"
    if "next" in answer and (len(listed) < command.limit or answer["next"] != listed[-1].encoded()):
        return "next is not the last room of a full page"
    certain = {place for log in logs if (place := _certain_place(attempt, log))}
    missing = [
        place
        for place in certain - set(listed)
        if place > start and place.form.startswith(prefix) and ("next" not in answer or place < listed[-1])
    ]
    return f"{missing} are missing" if missing else None


def _certain_place(attempt: Attempt, log: StoredLog) -> TitlePlace | None:
    """Return the only place that a room had in the user's list of public rooms meanwhile; None if it may have moved."""
    places: set[TitlePlace | None] = set()
    for state in attempt.states_of(log):
        member = state.members.get(attempt.user)
        is_listed = state.kind == "public" and state.count() > 0 and not (member and member.state == "banned")
        places.add(TitlePlace(title_form(state.title or ""), log.room) if is_listed else None)
    return places.pop() if len(places) == 1 else None


def _check_get(world: World, attempt: Attempt, command: GetRoom, answer: Object, logs: StoredLogs) -> str | None:
    log = logs[command.room]
    if answer["ok"]:
        return _check_room_object(world, log, attempt, answer)
    return _check_refusal(log, attempt, "get", answer)


def _check_room_object(world: World, log: StoredLog, attempt: Attempt, room: Object) -> str | None:
    """Check that a Room object shows the room as of its head."""
    if wrong := _check_head(log, attempt, room["head"]):
        return wrong
    state = log.states[room["head"]]
    member = state.members.get(attempt.user)
    if permissions.refusal("get", state.kind, member):
        return "the user may not see it"
    if (room["kind"], room.get("title"), room["members_count"]) != (state.kind, state.title, state.count()):
        return "kind, title or members_count is wrong"
    if member is None:
        return None if not room.keys() & {"me", "last", "markers"} else "the user is not a member, and sees too much"
    if (room["me"]["role"], room["me"]["state"]) != (member.role, member.state):
        return "role or state of the user is wrong"
    if member.state != "member":
        return None if not room.keys() & {"last", "markers"} else "the user is invited, and sees too much"
    return _check_members_view(world, log, attempt, room, state)


def _check_members_view(world: World, log: StoredLog, attempt: Attempt, room: Object, state: RoomState) -> str | None:
    """Check the fields of a Room object that only members see."""
    head, user = state.head, attempt.user
    if room["last"] != _truncated(entry_object(log.messages.presented(head, head, user))):
        return "last is wrong"
    if len(state.members) > MARKERS_SHOWN_TO and state.count() > MARKERS_SHOWN_TO:
        return "a large room has markers" if "markers" in room else _check_me(world, log, attempt, head, room["me"])
    if room["markers"].keys() != {listed for listed in state.members if state.member(listed)}:
        return "markers are not those of the members"
    if any(not marker["read"] <= marker["delivered"] <= head for marker in room["markers"].values()):
        return "a marker is impossible"
    me = room["me"]
    if room["markers"][user] != {"read": me["read"], "delivered": me["delivered"]}:
        return "the user's own marker differs from me"
    return _check_me(world, log, attempt, head, me)


def _truncated(entry: Object) -> Object:
    """The contract: `last` has at most 256 bytes of a body, with ``cut: true`` if there are more."""
    body = entry.get("body", "").encode()
    return entry if len(body) <= 256 else entry | {"body": body[:256].decode(errors="ignore"), "cut": True}


def _check_members(
    world: World, attempt: Attempt, command: ListMembers, answer: Object, logs: StoredLogs
) -> str | None:
    log = logs[command.room]
    if not answer["ok"]:
        return _check_refusal(log, attempt, "read", answer)
    page = answer["members"], "next" in answer
    for state in attempt.states_of(log):
        if state.member(attempt.user) and _members_page(state, attempt.user, command) == page:
            return None
    return "no state of the room has these members"


def _members_page(state: RoomState, user: UserId, command: ListMembers) -> tuple[list[Object], bool]:
    """Return the page of members that ``user`` sees, and whether there are more."""
    after, limit = base64.urlsafe_b64decode(f"{command.after or ''}===").decode(), command.limit
    sees_bans = permissions.rank(state.members.get(user)) in permissions.LEADERS
    rows: list[Object] = [
        {"user": listed, "role": member.role, "state": member.state}
        for listed, member in sorted(state.members.items())
        if listed > after and (sees_bans or member.state != "banned")
    ]
    return rows[:limit], len(rows) > limit


# All rooms at once.


def _check_unread_total(
    world: World, attempt: Attempt, command: Unread, answer: Object, logs: StoredLogs
) -> str | None:
    """Check the bounds that hold whatever the user's markers were."""
    if not answer["ok"]:
        return "unread is never refused"
    rooms = sum(any(state.member(attempt.user) for state in attempt.states_of(log)) for log in logs)
    if not answer["rooms"] <= answer["messages"] <= UNREAD_MAX * answer["rooms"] or answer["rooms"] > rooms:
        return f"the user was a member of {rooms} rooms"
    return None


# Access.


def _check_refresh(
    world: World, attempt: Attempt, command: RefreshAuth, answer: Object, logs: StoredLogs
) -> str | None:
    if not attempt.over_socket:
        return None if answer.get("error", {}).get("code") == "invalid" else "expected invalid without a socket"
    if command.token == VALID_TOKEN:
        return None if answer == {"ok": True, "expires_in": REFRESHED_S} else "a valid token was refused"
    refused = {"ok": False, "error": error_object(Unauthenticated())}
    return None if answer == refused else "an invalid token was accepted"


READ_CHECKS: Mapping[str, ReadCheck] = {
    "history": _check_history,
    "sync": _check_sync,
    "rooms": _check_rooms,
    "rooms.public": _check_public_rooms,
    "room.get": _check_get,
    "room.members": _check_members,
    "mark": _check_mark,
    "unread": _check_unread_total,
    **PEOPLE_CHECKS,
    "auth.refresh": _check_refresh,
}
"""The check of each command that reads, by its name."""
