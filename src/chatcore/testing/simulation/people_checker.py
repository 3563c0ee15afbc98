"""Checks of the answers of commands about people: profiles, blocks, search, who types, and who is online."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ...commands.blocks import BlockUser, ListBlocks, UnblockUser
from ...commands.people import FindPeople
from ...commands.presence import GetPresence, SetPresence
from ...commands.profiles import Profiles
from ...commands.typing import SetTyping
from ...domain.names import search_form
from ...domain.presence import GRACE_S
from ...errors import NotFound
from ...ids import UserId
from ...protocol import Object, error_object
from .profile import STRANGER, UNKNOWN_USER
from .reference_log import StoredLogs
from .world import Attempt, World

ReadCheck: TypeAlias = Callable[[World, Attempt, Any, Object, StoredLogs], str | None]
"""Returns what is wrong with an answer that is not a temporary failure, or None."""

MOMENT_S = 0.01
ELSEWHERE_S = 60
"""Seconds after the end of a socket for which other nodes may take its user for present: a lease, 10 s, late calls."""
NOT_FOUND: Object = {"ok": False, "error": error_object(NotFound())}


def _check_profiles(world: World, attempt: Attempt, command: Profiles, answer: Object, logs: StoredLogs) -> str | None:
    if not answer["ok"]:
        return "profiles is never refused"
    shown = set(answer["profiles"])
    possible, certain = {attempt.user}, {attempt.user}
    for log in logs:
        shared = [
            {user for user, member in state.members.items() if member.state != "banned"}
            for state in attempt.states_of(log)
        ]
        shared = [users if attempt.user in users else set() for users in shared]
        possible |= set().union(*shared)
        certain |= set.intersection(*shared) if shared else set()
    asked = set(command.users) - {UNKNOWN_USER}
    if not certain & asked <= shown <= possible & asked:
        return f"expected {sorted(certain & asked)} and at most {sorted(possible & asked)}"
    return None


# Blocks.


def _check_block(
    world: World, attempt: Attempt, command: BlockUser | UnblockUser, answer: Object, logs: StoredLogs
) -> str | None:
    blocks = isinstance(command, BlockUser)
    if blocks and command.user == attempt.user:
        return None if answer.get("error", {}).get("field") == "user" else "a user blocked themselves"
    if blocks and command.user == UNKNOWN_USER:
        return None if answer == NOT_FOUND else "an unknown user was blocked"
    return None if answer == {"ok": True} else "the user may block"


def _check_blocks(world: World, attempt: Attempt, command: ListBlocks, answer: Object, logs: StoredLogs) -> str | None:
    start, end = attempt.started_at, attempt.started_at + attempt.took_s
    listed = set(answer["users"])
    named = [pair for pair in world.blocks.pairs() if pair[0] == attempt.user]
    possible = {pair[1] for pair in named if world.blocks.may_be(pair, start, end, on=True)}
    certain = {pair[1] for pair in named if not world.blocks.may_be(pair, start, end, on=False)}
    if not certain <= listed <= possible or answer["users"] != sorted(listed):
        return f"expected {sorted(certain)} and at most {sorted(possible)}"
    return None


def _check_people(world: World, attempt: Attempt, command: FindPeople, answer: Object, logs: StoredLogs) -> str | None:
    start, end = attempt.started_at, attempt.started_at + attempt.took_s
    form = search_form(command.prefix)
    matching = sorted(user for user in (*world.users, STRANGER) if search_form(user).startswith(form))
    may_block = {user for user in matching if world.blocks.may_be((user, attempt.user), start, end, on=True)}
    may_show = {user for user in matching if world.blocks.may_be((user, attempt.user), start, end, on=False)}
    shown = [person["user"] for person in answer["people"]]
    if shown != sorted(set(shown) & may_show) or len(shown) > command.limit:
        return f"expected only {sorted(may_show)}"
    missing = set(matching) - may_block - set(shown)
    return f"{missing} are missing" if missing and len(shown) < command.limit else None


# Typing.


def _check_typing(world: World, attempt: Attempt, command: SetTyping, answer: Object, logs: StoredLogs) -> str | None:
    log = logs[command.room]
    states = attempt.states_of(log)
    if not answer["ok"]:
        is_refused = answer == NOT_FOUND and not all(state.member(attempt.user) for state in states)
        return None if is_refused else "no state of the room refuses this"
    if answer != {"ok": True}:
        return "expected no fields"
    if any(state.member(attempt.user) for state in states):
        return None
    if attempt.over_socket and any(state.member(attempt.user) for state in log.states[: states[-1].head]):
        world.tolerate("typing of a former member: the node of the socket does not know of the removal yet")
        return None
    return "the user is not a member"


# Presence.


def _check_presence(
    world: World, attempt: Attempt, command: GetPresence, answer: Object, logs: StoredLogs
) -> str | None:
    if not answer["ok"]:
        return "presence is never refused"
    presence = answer["presence"]
    if list(presence) != list(dict.fromkeys(command.users)):
        return "the answer has other users"
    for user, shown in presence.items():
        if wrong := _check_shown(world, attempt, user, shown, logs):
            return f"{user}: {wrong}"
    return None


def _check_shown(world: World, attempt: Attempt, user: UserId, shown: Object, logs: StoredLogs) -> str | None:
    may_see, must_see = _visibility(world, attempt, user, logs)
    if not may_see and shown != {"state": "offline"}:
        return "the user is not visible"
    if shown["state"] == "offline":
        must_be_present = must_see and not attempt.node_stopped and _is_certainly_present(world, attempt, user)
        return "is online on the node" if must_be_present else None
    return None if _may_be_present(world, attempt, user) else "has had no socket for long"


def _visibility(world: World, attempt: Attempt, user: UserId, logs: StoredLogs) -> tuple[bool, bool]:
    """Return whether the attempt's user may have seen ``user`` while the node had the command, and must have."""
    watcher, start, end = attempt.user, attempt.started_at, attempt.started_at + attempt.took_s
    if watcher == user:
        return True, True
    shared = [[bool(state.member(watcher) and state.member(user)) for state in attempt.states_of(log)] for log in logs]
    pairs = (watcher, user), (user, watcher)
    may_see = any(map(any, shared)) and all(world.blocks.may_be(pair, start, end, on=False) for pair in pairs)
    must_see = any(map(all, shared)) and not any(world.blocks.may_be(pair, start, end, on=True) for pair in pairs)
    return may_see, must_see


def _is_certainly_present(world: World, attempt: Attempt, user: UserId) -> bool:
    """Return whether the attempt's node knew a socket of the user that was open, or had ended less than 10 s before."""
    end = attempt.started_at + attempt.took_s
    return any(
        socket.process is attempt.process
        and socket.ready_at < attempt.started_at
        and socket.left_at + GRACE_S > end + MOMENT_S
        for socket in world.sockets
        if socket.user == user
    )


def _may_be_present(world: World, attempt: Attempt, user: UserId) -> bool:
    """Return whether the node may take the user for present. Sockets of other nodes may outlive their leases."""
    start, end = attempt.started_at, attempt.started_at + attempt.took_s
    sockets = [socket for socket in world.sockets if socket.user == user and socket.began_at <= end]
    here, elsewhere = GRACE_S + MOMENT_S, ELSEWHERE_S
    return any(
        socket.left_at + (here if socket.process is attempt.process else elsewhere) >= start for socket in sockets
    )


def _check_set_presence(
    world: World, attempt: Attempt, command: SetPresence, answer: Object, logs: StoredLogs
) -> str | None:
    if not attempt.over_socket:
        return None if answer.get("error", {}).get("code") == "invalid" else "expected invalid without a socket"
    return None if answer == {"ok": True} else "presence.set is never refused"


PEOPLE_CHECKS: Mapping[str, ReadCheck] = {
    "profiles": _check_profiles,
    "block": _check_block,
    "unblock": _check_block,
    "blocks": _check_blocks,
    "people": _check_people,
    "typing": _check_typing,
    "presence": _check_presence,
    "presence.set": _check_set_presence,
}
"""The check of each of these commands, by its name."""
