"""Where everybody's markers start."""

from collections.abc import Mapping

from attrs import frozen

from ..ids import Seq, UserId
from .entries import Entry, Joined
from .state import Marker, MarkerUpdate


def starting_markers(entry: Entry) -> Mapping[UserId, Marker]:
    """The markers that an entry sets: at 0 for whom it opens the room, at its own seq for who joins later.

    So those who were there from the start have everything unread, and who joins has nothing.
    """
    opened = {user: Marker(0, 0) for user in entry.opens.members} if entry.opens else {}
    match entry.event:
        case Joined(user=user) if user not in opened:
            return {**opened, user: Marker(entry.seq, entry.seq)}
        case _:
            return opened


@frozen
class StoredMarker:
    """A marker as a store keeps it. It belongs to the membership that began at ``since``: a user who joins again
    starts anew."""

    since: Seq
    marker: Marker


def starting_marker(since: Seq) -> Marker:
    """The marker of a member since ``since`` before any update."""
    return Marker(0, 0) if since == 1 else Marker(since, since)


def current_marker(stored: StoredMarker | None, since: Seq) -> Marker:
    """The marker of a member since ``since``."""
    return stored.marker if stored and stored.since == since else starting_marker(since)


def updated_marker(stored: StoredMarker | None, since: Seq, change: MarkerUpdate) -> StoredMarker:
    """The marker to store after an update by a member since ``since``. An update that belongs to an earlier membership
    than the stored marker has no effect."""
    if stored and stored.since > since:
        return stored
    return StoredMarker(since, change.applied(current_marker(stored, since)))
