"""The two functions that everything stands on: `decide` and `evolve`."""

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar, Protocol

from attrs import frozen

from ..errors import ChatError
from ..ids import Key, Seq, UserId
from . import permissions
from .entries import Entry, Event, Joined, Message, Opened, Opens
from .state import Member, RoomState


@frozen(kw_only=True)
class Facts:
    """What `decide` needs beside the state: the target entry of the command as of head, where it has one and the log
    reaches it, and which of the users that it names do not exist."""

    target: Entry | None = None
    unknown_users: frozenset[UserId] = frozenset()


class Intent(Protocol):
    """What `decide` asks of a command that appends to a room's log. Everything here is pure."""

    action: ClassVar[permissions.Action]
    """The row of the table of rights that governs the command."""

    @property
    def digest(self) -> str:
        """Identifies the command's content; its key, and how it addresses the room, are left out."""
        ...

    @property
    def target(self) -> Seq | None:
        """The seq of the entry that the command is about, if any."""
        ...

    def wants(self, state: RoomState) -> Collection[UserId]:
        """The users who have to exist for the command to be carried out on ``state``."""
        ...

    def opens(self, user: UserId) -> Opens | None:
        """What the command brings into being when the room is unborn; None where it needs a room that is there."""
        ...

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        """What the command does to a room in which ``user`` has the right to it; None when it changes nothing."""
        ...


def decide(
    state: RoomState, facts: Facts, user: UserId, command: Intent, key: Key, now: datetime
) -> Entry | ChatError | None:
    """What ``command`` comes to in a room as of ``state``: one entry at ``head + 1``, a refusal, or nothing to do."""
    opens = command.opens(user) if state.kind is None else None
    if opens is None:
        refusal = permissions.refusal(command.action, state.kind, state.members.get(user))
        if refusal is not None:
            return refusal
    event = command.event(state, facts, user)
    if event is None or isinstance(event, ChatError):
        return event
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


def evolve(state: RoomState, entry: Entry) -> RoomState:
    """The state after ``entry``, which must stand at ``state.head + 1``."""
    if entry.seq != state.head + 1:
        raise ValueError(f"entry {entry.seq} does not follow head {state.head}")
    kind, title, members = state.kind, state.title, state.members
    if entry.opens:
        kind, title = entry.opens.kind, entry.opens.title
        members = {user: Member(role, since=entry.seq) for user, role in entry.opens.members.items()}
    match entry.event:
        case Message() | Opened():
            pass
        case Joined(user=user, role=role):
            members = {**members, user: Member(role, since=entry.seq)}
    return RoomState(room=state.room, head=entry.seq, kind=kind, title=title, members=members)
