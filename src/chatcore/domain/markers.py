"""Where everybody's markers start."""

from collections.abc import Mapping

from ..ids import UserId
from .entries import Entry, Joined
from .state import Marker


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
