"""Random histories of a room, for hypothesis: entries of every kind, each valid after the earlier ones."""

from collections.abc import Sequence

from attrs import frozen
from hypothesis import strategies as st

from ..domain.entries import (
    Banned,
    Deleted,
    Edited,
    Entry,
    Event,
    Invited,
    Joined,
    Left,
    Message,
    Reacted,
    Removed,
    RoleChanged,
    Unbanned,
    Updated,
)
from ..domain.state import MarkerUpdate, RoomState
from ..ids import RoomId, Seq, UserId
from .builders import entry, opens
from .model import MemberMarkers, state_of

USERS = ("alice", "bob", "carol", "dave")
EMOJI = ("👍", "❤", "a")
KINDS = (
    *("message",) * 4,
    *("edited", "deleted", "reacted", "reacted", "unreacted", "updated", "role"),
    *("joined", "joined", "left", "invited", "removed", "banned", "unbanned"),
)


@frozen
class Move:
    """An attempt to append an event. ``nth`` selects among the possible targets and values."""

    kind: str
    author: UserId
    user: UserId
    nth: int


MOVES = st.lists(
    st.builds(Move, st.sampled_from(KINDS), st.sampled_from(USERS), st.sampled_from(USERS), st.integers(0, 30)),
    min_size=30,
    max_size=60,
)
SIZES = st.lists(st.integers(1, 9), max_size=61)
"""How many entries each batch has. The entries that are left are the last batch."""

_POSITIONS = st.none() | st.integers(0, 45)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(USERS),
        st.builds(
            MarkerUpdate,
            read=_POSITIONS,
            delivered=_POSITIONS,
            unread_from=st.none() | st.integers(1, 45),
            muted=st.none() | st.booleans(),
        ),
    ),
    max_size=10,
)


def history(room: RoomId, moves: Sequence[Move]) -> Sequence[Entry]:
    """Return the entries of the moves. A move that is not valid is left out."""
    entries = [entry(Message(body="message 1"), room, opens=opens("alice", "bob", kind="public", title="title 1"))]
    for move in moves:
        event = _event(move, state_of(entries), _Messages(entries))
        if event is not None:
            entries.append(entry(event, room, len(entries) + 1, move.author))
    return entries


class _Messages:
    """The messages that have not been deleted, and their present versions."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.versions: dict[Seq, int] = {}
        for earlier in entries:
            match earlier.event:
                case Message():
                    self.versions[earlier.seq] = 1
                case Edited(target=target, version=version):
                    self.versions[target] = version
                case Deleted(target=target):
                    del self.versions[target]
                case _:
                    pass

    def nth(self, number: int) -> Seq | None:
        seqs = list(self.versions)
        return seqs[number % len(seqs)] if seqs else None


def _event(move: Move, state: RoomState, messages: _Messages) -> Event | None:
    if move.kind == "message":
        return Message(body=f"message {state.head + 1}", data={"n": state.head} if move.nth % 2 else None)
    if move.kind == "updated":
        return Updated(title=f"title {state.head + 1}")
    if move.kind in ("edited", "deleted", "reacted", "unreacted"):
        target = messages.nth(move.nth)
        return None if target is None else _of_message(move, target, f"edit {state.head + 1}", messages)
    return _of_member(move, state)


def _of_message(move: Move, target: Seq, body: str, messages: _Messages) -> Event:
    match move.kind:
        case "edited":
            return Edited(target=target, version=messages.versions[target] + 1, body=body)
        case "deleted":
            return Deleted(target=target)
        case kind:
            return Reacted(target=target, emoji=EMOJI[move.nth % len(EMOJI)], on=kind == "reacted")


def _of_member(move: Move, state: RoomState) -> Event | None:
    member = state.members.get(move.user)
    match move.kind, member.state if member else None:
        case "joined", None | "invited":
            return Joined(user=move.user, role="admin" if move.nth % 3 == 0 else "member")
        case "invited", None:
            return Invited(user=move.user)
        case "left", "member" | "invited":
            return Left(user=move.user)
        case "removed", "member" | "invited":
            return Removed(user=move.user, reason="why" if move.nth % 2 else None)
        case "role", "member":
            return RoleChanged(user=move.user, role="owner" if move.nth % 2 else "member")
        case "banned", None | "member" | "invited":
            return Banned(user=move.user)
        case "unbanned", "banned":
            return Unbanned(user=move.user)
        case _:
            return None


def marks_of(entries: Sequence[Entry]) -> MemberMarkers:
    """Return the markers of all members before the first update."""
    marks = MemberMarkers()
    for appended in entries:
        marks.append(appended)
    return marks
