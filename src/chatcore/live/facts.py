"""Gathers the facts that pending commands need beside the room's state before they are decided."""

from collections.abc import Mapping, Sequence

from attrs import evolve

from ..domain.decider import Facts
from ..domain.state import RoomState
from ..errors import ChatError
from ..ids import Seq, UserId
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .command_queue import PendingCommand

NOTHING_KNOWN = Facts()
TRUSTED = Facts(trusted=True)


async def gather_facts(
    commands: Sequence[PendingCommand], state: RoomState, store: Store, directory: UserDirectory | None
) -> Seq:
    """Gather facts of pending commands that hold at ``state``. Returns the highest head that the store has shown.

    Stops before a command about a message that an earlier command changes: its facts would be stale after that. A
    command that names users is replaced by the error of the user directory if the directory fails. Raises
    `Unavailable` if the store cannot be reached.
    """
    await _name(commands, state, store, directory)
    seen = state.head
    changed: set[Seq] = set()
    for pending in commands:
        facts, command = pending.facts, pending.command
        if isinstance(command, ChatError) or facts is None or (target := pending.target) is None:
            continue
        if target in changed:
            break
        if command.changes_target:
            changed.add(target)
        if not facts_hold(pending, state.head):
            window = await store.window(pending.user, state.room, target, 0, 0)
            pending.facts = evolve(facts, target=window.entries[0], as_of=window.head)
            seen = max(seen, window.head)
    return seen


def note_facts(commands: Sequence[PendingCommand], state: RoomState, directory: UserDirectory | None) -> None:
    """Note facts of the commands that have none, as far as that needs no read."""
    for pending in commands:
        if pending.facts is not None or isinstance(pending.command, ChatError):
            continue
        if (directory is None and not pending.command.heeds_blocks) or not pending.command.required_users(state):
            pending.facts = TRUSTED if pending.trusted else NOTHING_KNOWN


async def _name(
    commands: Sequence[PendingCommand], state: RoomState, store: Store, directory: UserDirectory | None
) -> None:
    """Note for commands without facts which of the users that they name do not exist, or have blocked the author."""
    note_facts(commands, state, directory)
    named = {
        pending: frozenset(pending.command.required_users(state))
        for pending in commands
        if pending.facts is None and not isinstance(pending.command, ChatError)
    }
    if named:
        await _look_up(store, directory, named)


def facts_hold(pending: PendingCommand, head: Seq) -> bool:
    """Return whether the command has facts that still hold at ``head``."""
    facts, target = pending.facts, pending.target
    if facts is None or target is None or target > head:
        return facts is not None
    return facts.as_of is not None and facts.as_of <= head


async def _look_up(
    store: Store, directory: UserDirectory | None, named: Mapping[PendingCommand, frozenset[UserId]]
) -> None:
    users = frozenset[UserId]().union(*named.values())
    try:
        exist = (await directory(users)).keys() if directory else users
    except ChatError as failure:
        for pending in named:
            pending.command = failure
        return
    asked = [
        (other, pending.user)
        for pending, names in named.items()
        if not isinstance(pending.command, ChatError) and pending.command.heeds_blocks
        for other in names
    ]
    blocks = await store.blocks_among(asked) if asked else frozenset()
    for pending, names in named.items():
        pending.facts = Facts(
            unknown_users=names - exist,
            trusted=pending.trusted,
            blocked_by=frozenset(other for other, user in blocks if user == pending.user) & names,
        )
