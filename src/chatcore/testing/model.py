"""The answers that stores must give, computed simply and slowly from the appended entries."""

from collections.abc import Mapping, Sequence

from attrs import evolve

from ..domain import decider
from ..domain.entries import Deleted, Edited, Entry, Message, Reacted, Reaction
from ..domain.markers import starting_markers
from ..domain.redaction import redacted
from ..domain.state import Marker, MarkerUpdate, RoomState, RoomView
from ..ids import Seq, UserId


def state_of(entries: Sequence[Entry]) -> RoomState:
    state = RoomState(room=entries[0].room)
    for entry in entries:
        state = decider.evolve(state, entry)
    return state


def as_written(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the log: the appended entries, without deleted texts."""
    gone = [entry.event.target for entry in entries if isinstance(entry.event, Deleted)]
    return [redacted(entry) if _text_target(entry) in gone else entry for entry in entries]


def _text_target(entry: Entry) -> Seq:
    return entry.event.target if isinstance(entry.event, Edited) else entry.seq


def as_present(entries: Sequence[Entry], user: UserId) -> Sequence[Entry]:
    """Return the log with messages in their present state, as ``user`` sees them."""
    written = as_written(entries)
    return [_present(entry, written, user) if isinstance(entry.event, Message) else entry for entry in written]


def _present(entry: Entry, written: Sequence[Entry], user: UserId) -> Entry:
    message = entry.event
    assert isinstance(message, Message)
    for later in written:
        if isinstance(later.event, Edited) and later.event.target == entry.seq:
            edit = later.event
            message = evolve(message, body=edit.body or "", version=edit.version, edited_at=later.at)
    if message.deleted:
        return evolve(entry, event=evolve(message, edited_at=None))
    return evolve(entry, event=evolve(message, reactions=_reactions(entry.seq, written, user)))


def _reactions(target: Seq, written: Sequence[Entry], user: UserId) -> Mapping[str, Reaction]:
    given: list[tuple[str, list[UserId]]] = []
    for entry in written:
        if not isinstance(entry.event, Reacted) or entry.event.target != target:
            continue
        users = next((users for emoji, users in given if emoji == entry.event.emoji), None)
        if users is None:
            users = []
            given.append((entry.event.emoji, users))
        if not entry.event.on:
            users[:] = [other for other in users if other != entry.author]
        elif entry.author not in users:
            users.append(entry.author)
        given = [(emoji, users) for emoji, users in given if users]
    return {emoji: Reaction(count=len(users), users=users[:20], mine=user in users) for emoji, users in given}


class MemberMarkers:
    """The markers of one room after its entries and its users' updates."""

    def __init__(self) -> None:
        self._all: dict[UserId, Marker] = {}

    def append(self, entry: Entry) -> None:
        self._all.update(starting_markers(entry))

    def mark(self, user: UserId, change: MarkerUpdate, state: RoomState) -> None:
        if state.member(user) and change.fits(state.head):
            self._all[user] = change.applied(self._all[user])

    def of(self, state: RoomState) -> Mapping[UserId, Marker]:
        return {user: marker for user, marker in self._all.items() if state.member(user)}


def view_of(entries: Sequence[Entry], user: UserId, marks: MemberMarkers) -> RoomView:
    state = state_of(entries)
    assert state.kind
    markers = marks.of(state)
    marker = markers.get(user)
    return RoomView(
        room=state.room,
        kind=state.kind,
        title=state.title,
        head=state.head,
        members_count=len(markers),
        last=as_present(entries, user)[-1],
        member=state.members.get(user),
        marker=marker,
        unread=min(len(unread_of(entries, user, marker.counted_from)), 100) if marker else 0,
        markers=markers if len(markers) <= 20 else None,
    )


def unread_of(entries: Sequence[Entry], user: UserId, above: Seq) -> Sequence[Seq]:
    return [
        entry.seq
        for entry in as_written(entries)
        if entry.seq > above and entry.author != user and isinstance(entry.event, Message) and not entry.event.deleted
    ]
