"""The start of markers, and their updates."""

from collections.abc import Mapping

from attrs import frozen

from ..ids import Seq, UserId
from .entries import Entry, Joined
from .state import Marker, MarkerUpdate


def starting_markers(entry: Entry) -> Mapping[UserId, Marker]:
    """Return the markers that an entry sets: 0 for first members, the entry's own seq for a user who joins later.

    So a first member has all messages unread, and a user who joins has none.
    """
    opened = {user: Marker(0, 0) for user in entry.opens.members} if entry.opens else {}
    match entry.event:
        case Joined(user=user) if user not in opened:
            return {**opened, user: Marker(entry.seq, entry.seq)}
        case _:
            return opened


@frozen
class StoredMarker:
    """A marker as a store keeps it, for the membership that began at ``since``.

    A user who joins again gets a new marker.
    """

    since: Seq
    marker: Marker


def starting_marker(since: Seq) -> Marker:
    """Return the marker, before any update, of a user who is a member since ``since``."""
    return Marker(0, 0) if since == 1 else Marker(since, since)


def current_marker(stored: StoredMarker | None, since: Seq) -> Marker:
    """Return the present marker of a user who is a member since ``since``."""
    return stored.marker if stored and stored.since == since else starting_marker(since)


def updated_marker(stored: StoredMarker | None, since: Seq, change: MarkerUpdate) -> StoredMarker:
    """Return the marker to store after an update by a user who is a member since ``since``.

    An update for an earlier membership than that of the stored marker has no effect.
    """
    if stored and stored.since > since:
        return stored
    return StoredMarker(since, change.applied(current_marker(stored, since)))
