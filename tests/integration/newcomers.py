"""Reads by a user without cursors."""

from collections.abc import Sequence

from chatcore.domain.entries import Entry
from chatcore.ids import UserId
from chatcore.ports.store import Store
from chatcore.testing.histories import marks_of
from chatcore.testing.model import state_of, view_of


async def as_a_newcomer(store: Store, user: UserId, logs: Sequence[Sequence[Entry]]) -> None:
    """Read as a user without cursors, first of all: the user sees exactly their own rooms."""
    mine = {
        log[0].room: log for log in logs if (member := state_of(log).members.get(user)) and member.state != "banned"
    }
    page = await store.page(user, None, 50)
    assert {view.room: view for view in page.rooms} == {
        room: view_of(log, user, marks_of(log)) for room, log in mine.items()
    }
    rows = await store.memberships(user)
    assert {(row.room, row.head) for row in rows} == {(room, len(log)) for room, log in mine.items()}
