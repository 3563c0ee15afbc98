"""What must be true of the answers that show rooms and their members."""

import base64

from ...commands.membership import ListMembers
from ...commands.reading import ListRooms
from ...commands.rooms import GetRoom
from ...domain import permissions
from ...domain.state import MARKERS_SHOWN_TO, RoomState
from ...ids import UserId
from ...protocol import Object, entry_object
from .attempts import Attempt
from .logs import Log, Logs
from .reading_bounds import wrong_head, wrong_refusal
from .reading_marks import wrong_me
from .world import World


def rooms(world: World, attempt: Attempt, command: ListRooms, answer: Object, logs: Logs) -> str | None:
    if not answer["ok"]:
        return "it was never to be refused"
    listed = [room["room"] for room in answer["rooms"]]
    if len(set(listed)) != len(listed) or len(listed) > command.limit:
        return "too many"
    for room in answer["rooms"]:
        if wrong := _wrong_room(world, logs[room["room"]], attempt, room):
            return f"{room['room']}: {wrong}"
        if "me" not in room:
            return f"{room['room']} is a stranger's"
    if command.after is None and "next" not in answer:
        lacking = {log.room for log in logs if all(log.is_member(attempt.user, one) for one in log.during(attempt))}
        if lacking - set(listed):
            return f"{lacking - set(listed)} are left out"
    return None


def room(world: World, attempt: Attempt, command: GetRoom, answer: Object, logs: Logs) -> str | None:
    log = logs[command.room]
    if answer["ok"]:
        return _wrong_room(world, log, attempt, answer)
    return wrong_refusal(log, attempt, "get", answer)


def _wrong_room(world: World, log: Log, attempt: Attempt, room: Object) -> str | None:
    """Whether a Room shows what was there as of its head."""
    if wrong := wrong_head(log, attempt, room["head"]):
        return wrong
    state = log.states[room["head"]]
    member = state.members.get(attempt.user)
    if permissions.refusal("get", state.kind, member):
        return "shown to a stranger"
    if (room["kind"], room.get("title"), room["members_count"]) != (state.kind, state.title, state.count()):
        return "not what it was"
    if member is None:
        return None if not room.keys() & {"me", "last", "markers"} else "a stranger is shown too much"
    if (room["me"]["role"], room["me"]["state"]) != (member.role, member.standing):
        return "not what its user is to it"
    if member.standing != "member":
        return None if not room.keys() & {"last", "markers"} else "an invited user is shown too much"
    return _wrong_for_member(world, log, attempt, room, state)


def _wrong_for_member(world: World, log: Log, attempt: Attempt, room: Object, state: RoomState) -> str | None:
    head, user = state.head, attempt.user
    if room["last"] != _cut(entry_object(log.messages.present(head, head, user))):
        return "not the last entry"
    if len(state.members) > MARKERS_SHOWN_TO and state.count() > MARKERS_SHOWN_TO:
        return "markers of a large room" if "markers" in room else wrong_me(world, log, attempt, head, room["me"])
    if room["markers"].keys() != {one for one in state.members if state.member(one)}:
        return "not the markers of its members"
    if any(not one["read"] <= one["delivered"] <= head for one in room["markers"].values()):
        return "a marker that cannot be"
    me = room["me"]
    if room["markers"][user] != {"read": me["read"], "delivered": me["delivered"]}:
        return "one's own marker in two ways"
    return wrong_me(world, log, attempt, head, me)


def _cut(entry: Object) -> Object:
    """ "A Room's `last` carries at most 256 bytes of body, with `cut: true`." """
    body = entry.get("body", "").encode()
    return entry if len(body) <= 256 else entry | {"body": body[:256].decode(errors="ignore"), "cut": True}


def members(world: World, attempt: Attempt, command: ListMembers, answer: Object, logs: Logs) -> str | None:
    log = logs[command.room]
    if not answer["ok"]:
        return wrong_refusal(log, attempt, "read", answer)
    for state in log.during(attempt):
        if state.member(attempt.user) and _page_of(state, attempt.user, command) == _without_next(answer):
            return None
    return "never were these its members"


def _page_of(state: RoomState, user: UserId, command: ListMembers) -> tuple[list[Object], bool]:
    after, limit = base64.urlsafe_b64decode(f"{command.after or ''}===").decode(), command.limit
    sees_bans = permissions.rank(state.members.get(user)) in permissions.LEADERS
    rows: list[Object] = [
        {"user": one, "role": member.role, "state": member.standing}
        for one, member in sorted(state.members.items())
        if one > after and (sees_bans or member.standing != "banned")
    ]
    return rows[:limit], len(rows) > limit


def _without_next(answer: Object) -> tuple[list[Object], bool]:
    return answer["members"], "next" in answer
