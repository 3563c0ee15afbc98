"""What commands need to know beside the room's state before they can be decided."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

import anyio
from attrs import evolve

from ..domain.entries import Entry
from ..domain.rooms import Facts
from ..domain.state import RoomState
from ..errors import ChatError, Unavailable
from ..ids import Seq, UserId
from ..ports.directory import Directory
from .waiting import Waiting

DIRECTORY_S = 2
"""How long a host's directory may take."""

EntryAt: TypeAlias = Callable[[Seq], Awaitable[Entry]]

log = logging.getLogger(__name__)


async def gather(commands: Iterable[Waiting], state: RoomState, entry_at: EntryAt, directory: Directory | None) -> None:
    """Give every waiting command its facts as of ``state``; those of an earlier time are kept where they still hold.

    A command that names users while the directory fails becomes its failure. Raises `Unavailable` where the store
    can't be reached.
    """
    named: dict[Waiting, frozenset[UserId]] = {}
    for waiting in commands:
        if isinstance(waiting.command, ChatError):
            continue
        if waiting.facts is None:
            waiting.facts = Facts()
            if names := waiting.command.wants(state):
                named[waiting] = frozenset(names)
        target = waiting.command.target
        if target is not None and waiting.facts.target is None and target <= state.head:
            waiting.facts = evolve(waiting.facts, target=await entry_at(target))
    if named and directory:
        await _look_up(directory, named)


async def _look_up(directory: Directory, named: Mapping[Waiting, frozenset[UserId]]) -> None:
    try:
        with anyio.fail_after(DIRECTORY_S):
            exist = await directory(frozenset[UserId]().union(*named.values()))
    except Exception as error:
        failure = error if isinstance(error, ChatError) else Unavailable()
        if failure is not error:
            log.exception("the directory failed")
        for waiting in named:
            waiting.command = failure
        return
    for waiting, names in named.items():
        waiting.facts = evolve(waiting.facts or Facts(), unknown_users=names - exist.keys())
