"""The decider of a room: `decide` turns a command into an entry, `evolve` applies an entry to the state."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from ..errors import ChatError, Conflict, Forbidden, Invalid
from ..ids import Key, Seq, UserId
from . import permissions
from .entries import Deleted, Edited, Entry, Event, Joined, Message, Opened, Reacted, RoomKind, RoomOpening, Updated
from .memberships import evolve_members
from .state import MEMBERS_MAX, RoomState


@frozen(kw_only=True)
class Facts:
    """What `decide` needs beside the state.

    Attributes:
        target: the entry that the command is about, as the author of the command sees it; a message is in its present
            state. None if the command is about no entry, the log does not reach it, or it was not read.
        as_of: the head at which ``target`` was read; None if it was not read.
        unknown_users: the users that the command names and that do not exist.
        trusted: whether the host carries out the command past the table of rights.
        blocked_by: the users that the command names and that have blocked its author. They are only looked up for
            commands with ``heeds_blocks``.
    """

    target: Entry | None = None
    as_of: Seq | None = None
    unknown_users: frozenset[UserId] = frozenset()
    trusted: bool = False
    blocked_by: frozenset[UserId] = frozenset()

    def message(self) -> tuple[Entry, Message] | None:
        """Return the target and its message, or None if the target is no message or is deleted."""
        if self.target is None or not isinstance(self.target.event, Message) or self.target.event.deleted:
            return None
        return self.target, self.target.event


@frozen(kw_only=True)
class Rules:
    """What a host may change: the table of rights, the size of rooms, and who may create rooms and write to whom.

    ``may_create`` and ``may_write`` are plain or async functions, and have 2 s. False is `forbidden`; an exception or a
    longer wait is `unavailable`. A retry whose key stands in the room gets its first answer all the same.

    Attributes:
        rights: the table of rights.
        members_max: the most members of a room.
        may_create: whether a user may create a room of a kind, ``group`` or ``public``. None for all users.
        may_write: whether a user may send, edit and react in the private room with another user, and open it. It is not
            asked about the room that users have with themselves. None for all users.
    """

    rights: permissions.Rights = permissions.RIGHTS
    members_max: int = MEMBERS_MAX
    may_create: Callable[[UserId, RoomKind], bool | Awaitable[bool]] | None = None
    may_write: Callable[[UserId, UserId], bool | Awaitable[bool]] | None = None


DEFAULT_RULES = Rules()
"""The rules of the wire contract (``docs/protocol.md``)."""


class AppendCommand(ABC):
    """What `decide` uses of a command that appends to a room's log. All properties and methods are pure."""

    __slots__ = ()

    action: ClassVar[permissions.Action]
    """The row of the table of rights that governs the command."""

    changes_target: ClassVar[bool] = False
    """Whether the command changes its target. Later commands about the same message wait for its outcome."""

    heeds_blocks: ClassVar[bool] = False
    """Whether the command depends on blocks of its author by the users that it names."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash of the command's content, without its key and without the way in which it names the room."""

    @property
    def target(self) -> Seq | None:
        """The seq of the entry that the command is about, or None."""
        return None

    def required_users(self, state: RoomState) -> Collection[UserId]:
        """Return the users who must exist for the command to append to a room in ``state``."""
        return ()

    def opens(self, user: UserId) -> RoomOpening | None:
        """Return what the command opens if the room has no entries; None if it needs a room that exists."""
        return None

    @abstractmethod
    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        """Return the command's event, its refusal, or None if it changes nothing. ``user`` has the right to it."""


def decide(
    state: RoomState,
    facts: Facts,
    user: UserId,
    command: AppendCommand,
    key: Key,
    now: datetime,
    rules: Rules = DEFAULT_RULES,
) -> Entry | ChatError | None:
    """Return the entry at ``state.head + 1`` that the command appends, its refusal, or None if it changes nothing.

    Args:
        user: the author of the command.
        key: the idempotency key of the entry.
        now: the time of the entry, UTC.
    """
    opens = command.opens(user) if state.kind is None else None
    if opens is None:
        refusal = permissions.refusal(
            command.action, state.kind, state.members.get(user), rules.rights, trusted=facts.trusted
        )
        if refusal is not None:
            return refusal
    if user in state.blocked and command.action in permissions.WRITING and not facts.trusted:
        return Forbidden()
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


def _too_many_members(state: RoomState, event: Event, opens: RoomOpening | None, members_max: int) -> ChatError | None:
    match event:
        case Joined() if state.count() >= members_max:
            return Conflict(f"The room is full: it has {members_max} members.")
        case Opened() if opens and len(opens.members) > members_max:
            return Invalid(f"A room can have at most {members_max} members, including its creator.", field="members")
        case _:
            return None


def evolve(state: RoomState, entry: Entry) -> RoomState:
    """Return the state after ``entry``. Raises ValueError unless its seq is ``state.head + 1``."""
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
    return RoomState(room=state.room, head=entry.seq, kind=kind, title=title, members=members, blocked=state.blocked)
