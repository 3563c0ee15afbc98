"""The two functions that everything stands on: `decide` and `evolve`."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from ..errors import ChatError, Conflict, Invalid
from ..ids import Key, Seq, UserId
from . import permissions
from .entries import Deleted, Edited, Entry, Event, Joined, Message, Opened, Opens, Reacted, Updated
from .memberships import evolve_members
from .state import MEMBERS_MAX, RoomState


@frozen(kw_only=True)
class Facts:
    """What `decide` needs beside the state.

    ``target`` is the entry that the command is about, where it has one and the log reaches it: a message in its
    present state, as the author of the command sees it, as of ``as_of``; None where it was not read. ``unknown_users``
    are those of the named users who do not exist.
    """

    target: Entry | None = None
    as_of: Seq | None = None
    unknown_users: frozenset[UserId] = frozenset()

    def message(self) -> tuple[Entry, Message] | None:
        """The target where it is a message that has not been deleted."""
        if self.target is None or not isinstance(self.target.event, Message) or self.target.event.deleted:
            return None
        return self.target, self.target.event


@frozen(kw_only=True)
class Rules:
    """What a host may decide otherwise: who has the right to what, and how many members a room may have."""

    rights: permissions.Rights = permissions.RIGHTS
    members_max: int = MEMBERS_MAX


CONTRACT = Rules()
"""What the contract says."""


class AppendCommand(ABC):
    """What `decide` asks of a command that appends to a room's log. Everything here is pure."""

    __slots__ = ()

    action: ClassVar[permissions.Action]
    """The row of the table of rights that governs the command."""

    changes_target: ClassVar[bool] = False
    """Whether the command changes the message that it is about; what else is about it waits for what that comes to."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Identifies the command's content; its key, and how it addresses the room, are left out."""

    @property
    def target(self) -> Seq | None:
        """The seq of the entry that the command is about, if any."""
        return None

    def required_users(self, state: RoomState) -> Collection[UserId]:
        """The users who have to exist for the command to be carried out on ``state``."""
        return ()

    def opens(self, user: UserId) -> Opens | None:
        """What the command brings into being when the room is unborn; None where it needs a room that is there."""
        return None

    @abstractmethod
    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        """What the command does to a room in which ``user`` has the right to it; None when it changes nothing."""


def decide(
    state: RoomState,
    facts: Facts,
    user: UserId,
    command: AppendCommand,
    key: Key,
    now: datetime,
    rules: Rules = CONTRACT,
) -> Entry | ChatError | None:
    """What ``command`` comes to in a room as of ``state``: one entry at ``head + 1``, a refusal, or nothing to do."""
    opens = command.opens(user) if state.kind is None else None
    if opens is None:
        refusal = permissions.refusal(command.action, state.kind, state.members.get(user), rules.rights)
        if refusal is not None:
            return refusal
    event = command.event(state, facts, user)
    if event is None or isinstance(event, ChatError):
        return event
    if refusal := _too_many_members(state, event, opens, rules.members_max):
        return refusal
    return Entry(
        room=state.room,
        seq=state.head + 1,
        author=user,
        at=now,
        key=key,
        digest=command.digest,
        event=event,
        opens=opens,
    )


def _too_many_members(state: RoomState, event: Event, opens: Opens | None, members_max: int) -> ChatError | None:
    match event:
        case Joined() if state.count() >= members_max:
            return Conflict(f"The room is full: it has {members_max} members.")
        case Opened() if opens and len(opens.members) > members_max:
            return Invalid(f"A room can have at most {members_max} members, including its creator.", field="members")
        case _:
            return None


def evolve(state: RoomState, entry: Entry) -> RoomState:
    """Return the state after ``entry``. Raises `ValueError` unless its seq is ``state.head + 1``."""
    if entry.seq != state.head + 1:
        raise ValueError(f"entry {entry.seq} does not follow head {state.head}")
    kind, title, members = state.kind, state.title, state.members
    if entry.opens:
        kind, title = entry.opens.kind, entry.opens.title
    match entry.event:
        case Message() | Edited() | Deleted() | Reacted() if entry.opens is None:
            pass
        case Updated(title=new):
            title = new
        case _:
            members = evolve_members(members, entry)
    return RoomState(room=state.room, head=entry.seq, kind=kind, title=title, members=members)
