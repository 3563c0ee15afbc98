"""Every read of a store after random histories. The store and the default views of `LogStore` must give the answers
of the model.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings

from ..domain.entries import Entry
from ..domain.state import MarkerUpdate
from ..ids import UserId
from ..ports.room_views import FirstUnread, RoomMembership
from ..ports.store import Store
from .builders import message
from .default_views import DefaultViews
from .histories import CHANGES, MOVES, SIZES, USERS, Move, history
from .logs import everything
from .model import MemberMarkers, as_present, as_written, state_of, unread_of, view_of
from .public_rooms import public_pages
from .tasks import at_once

WIDE = 10_000_000

_numbers = count()


def every_answer(examples: int) -> Callable[..., None]:
    """Return the contract's test with ``examples`` histories. A suite of a slow store needs fewer."""

    @settings(
        max_examples=examples,
        deadline=None,  # a store may be slow
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(moves=MOVES, sizes=SIZES, changes=CHANGES)
    async def test(
        self: object,
        store: Store,
        defaults: DefaultViews,
        moves: Sequence[Move],
        sizes: Sequence[int],
        changes: Sequence[tuple[UserId, MarkerUpdate]],
    ) -> None:
        entries = history(f"room {next(_numbers)}", moves)
        markers = MemberMarkers()
        written = 0
        updates = list(changes)
        for size in (*sizes, len(entries)):
            batch = entries[written : written + size]
            if batch:
                assert (await store.append(batch)).written == len(batch)
                written += len(batch)
                for entry in batch:
                    markers.append(entry)
                if updates:
                    await _mark(store, entries[:written], *updates.pop(), markers)
        await check(store, entries, markers, defaults)

    return test


@pytest.mark.anyio
class HistoriesContract:
    """Subclass it, with a fixture ``store``: an open store, which may have other rooms."""

    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def defaults(self, store: Store) -> DefaultViews:
        return DefaultViews(store)

    test_every_read_of_a_random_history_matches_the_model: Callable[..., None] = every_answer(60)


async def _mark(
    store: Store, entries: Sequence[Entry], user: UserId, change: MarkerUpdate, markers: MemberMarkers
) -> None:
    markers.mark(user, change, state_of(entries))
    assert await store.mark(user, entries[0].room, change) == view_of(entries, user, markers)


async def check(
    store: Store, entries: Sequence[Entry], markers: MemberMarkers, defaults: DefaultViews | None = None
) -> None:
    """Check every read of a room with the log ``entries``, of a store and of the default views of its log."""
    room, state = entries[0].room, state_of(entries)
    assert list(await everything(store, room)) == list(as_written(entries))
    keys = [(entry.author, entry.key) for entry in entries]
    assert list((await store.read_on(room, 0, 0, keys)).by_key.values()) == list(as_written(entries))
    for views in (store, defaults or DefaultViews(store)):
        await _check_views(views, entries, markers)
    repeated = [message(room, state.head + 1, entry.author, key=entry.key) for entry in entries]
    assert [(await store.append([entry])).taken for entry in repeated] == list(as_written(entries))


async def _check_views(store: Store, entries: Sequence[Entry], markers: MemberMarkers) -> None:
    room = entries[0].room
    assert await store.state(room) == state_of(entries)
    views = await store.views(room, USERS)
    assert views == {user: view_of(entries, user, markers) for user in USERS}
    assert await store.markers(room, USERS) == {user: view.marker for user, view in views.items() if view.marker}
    await at_once([partial(_check_for, store, entries, user, markers) for user in USERS])


async def _check_for(store: Store, entries: Sequence[Entry], user: UserId, markers: MemberMarkers) -> None:
    room, view, present = entries[0].room, view_of(entries, user, markers), list(as_present(entries, user))
    window = await store.window(user, room, "oldest", 0, len(entries))
    assert (list(window.entries), window.member, window.head) == (present, view.member, len(entries))
    listed = view.member is not None and view.member.state in ("member", "invited")
    rows = [RoomMembership(room=room, head=view.head, member=view.member)] if view.member and listed else []
    assert await store.memberships(user, room) == rows
    assert [other for other in (await store.page(user, None, 10_000)).rooms if other.room == room] == [view] * len(rows)
    is_public = view.kind == "public" and view.members_count > 0 and (listed or view.member is None)
    found = [other for page in await public_pages(store, user, view.title or "", 200) for other in page]
    assert [other for other in found if other.room == room] == [view] * is_public
    caught_up = await store.catch_up(user, {room: 0}, 200, WIDE)
    assert set(caught_up) == ({room} if view.marker else set())
    if view.marker:
        assert (caught_up[room].view, list(caught_up[room].entries or ())) == (view, present)
    for read in range(0, len(entries) + 1, 5):
        first = await store.window(user, room, FirstUnread(user=user, read=read), 0, 0)
        assert [entry.seq for entry in first.entries] == list(unread_of(entries, user, read)[:1])
