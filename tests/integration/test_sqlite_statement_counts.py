"""Reads of many rooms take a fixed number of SQL statements."""

from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import pytest

from chatcore.domain.entries import Deleted
from chatcore.domain.state import MEMBERS_MAX, MarkerUpdate
from chatcore.testing.builders import banned, conversation, entry, message, opened, opens
from chatcore.testing.logs import write
from chatcore_sqlite import SqliteStore
from chatcore_sqlite.data_folder import connect_reader
from chatcore_sqlite.queries import Snapshot
from chatcore_sqlite.statements import UNREAD_SCAN

pytestmark = pytest.mark.anyio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ROOMS = 200


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore, None]:
    async with SqliteStore(tmp_path) as store:
        yield store


@pytest.fixture
async def rooms(store: SqliteStore) -> list[str]:
    """Return the ids of 200 rooms of alice and bob, each with 5 unread messages of the other user."""
    names = [f"room {number:03}" for number in range(ROOMS)]
    await store.append_all([conversation(name) for name in names])
    return names


def counted(store: SqliteStore, query: Callable[[Snapshot], Any]) -> tuple[Any, int]:
    """Return the result of a query, and how many statements it has run."""
    statements: list[str] = []
    with closing(connect_reader(store.database.file)) as connection:
        connection.set_trace_callback(statements.append)
        return query(Snapshot(connection)), len(statements)


@pytest.mark.parametrize("limit", [1, 50, ROOMS])
async def test_page_of_rooms_is_one_statement(store: SqliteStore, rooms: list[str], limit: int) -> None:
    page, statements = counted(store, lambda snapshot: snapshot.page("alice", None, limit))
    assert len(page.rooms) == limit
    assert {view.unread for view in page.rooms} == {5}
    assert {len(view.markers) for view in page.rooms} == {2}
    assert statements == 1


async def test_unread_total_of_many_rooms_is_one_statement(store: SqliteStore, rooms: list[str]) -> None:
    total, statements = counted(store, lambda snapshot: snapshot.unread_total("bob"))
    assert (total.rooms, total.messages) == (ROOMS, 5 * ROOMS)
    assert statements == 1


def steps(store: SqliteStore, query: Callable[[Snapshot, *Ts], T], *args: *Ts) -> tuple[T, int]:
    """Return the result of a query, and how many instructions SQLite's virtual machine has run for it."""
    count = 0

    def note() -> int:
        nonlocal count
        count += 1
        return 0

    with closing(connect_reader(store.database.file)) as connection:
        connection.set_progress_handler(note, 1)
        return query(Snapshot(connection), *args), count


async def test_page_of_members_takes_as_many_steps_with_100_and_5000_members_and_bans(store: SqliteStore) -> None:
    work: list[int] = []
    for room, count, bans in (("small", 100, 0), ("large", MEMBERS_MAX, 500)):
        users = [f"user {number:04}" for number in range(count)]
        await write(store, [opened(room, opens=opens(*users))])
        await write(store, [banned(room, 2 + number, f"bad {number:04}") for number in range(bans)])
        for reader, after in ((users[1], None), (users[1], users[-20]), (users[0], users[-20])):
            page, taken = steps(store, Snapshot.members, reader, room, after, 50)
            assert len(page.users) == (19 if after else 50)
            work.append(taken)
    assert work[3:] == work[:3]


async def test_page_of_public_rooms_takes_a_bounded_number_of_steps(store: SqliteStore) -> None:
    work: dict[str, list[int]] = {"carol": [], "eve": []}
    for count in (1_000, 5_000):
        title = f"tea of {count}"
        names = [f"{title} {number:04}" for number in range(count)]
        opening = opens("alice", kind="public", title=title)
        for start in range(0, count, 500):
            some = names[start : start + 500]
            await store.append_all([[opened(name, opens=opening), banned(name, 2, "eve")] for name in some])
        for user, taken_before in work.items():
            page, taken = steps(store, Snapshot.public_rooms, user, title, None, 50)
            assert [view.room for view in page.rooms] == ([] if user == "eve" else names[:50])
            assert page.next
            taken_before.append(taken)
    assert all(large <= 1.02 * small for small, large in work.values()), work
    page, statements = counted(store, lambda snapshot: snapshot.public_rooms("carol", "tea", None, 50))
    assert (len(page.rooms), statements) == (50, 1)


async def test_unread_takes_as_many_steps_over_100_and_5000_deleted_messages(store: SqliteStore) -> None:
    work: list[int] = []
    for room, count in (("small", 100), ("large", 5_000)):
        user = f"user of {room}"
        await write(store, [opened(room, opens=opens("alice", user))])
        await write(store, [message(room, seq) for seq in range(2, count + 2)])
        await write(store, [entry(Deleted(target=seq), room, count + seq) for seq in range(2, count + 2)])
        await write(store, [message(room, 2 * count + 2)])
        view, one = steps(store, Snapshot.views, room, [user])
        total, two = steps(store, Snapshot.unread_total, user)
        assert view[user].unread == total.messages == 1
        work.append(one + two)
    assert work[1] <= 1.02 * work[0]


@pytest.mark.parametrize("missed", [0, 1])
async def test_catch_up_of_at_most_one_entry_is_one_statement(
    store: SqliteStore, rooms: list[str], missed: int
) -> None:
    cursors = dict.fromkeys(rooms, 10 - missed)
    caught_up, statements = counted(store, lambda snapshot: snapshot.catch_up("alice", cursors, 100, 1_000_000))
    assert [len(room.entries) for room in caught_up.values()] == [missed] * ROOMS
    assert statements == 1


@pytest.mark.parametrize("own", [UNREAD_SCAN - 1, UNREAD_SCAN, UNREAD_SCAN + 1, 5 * UNREAD_SCAN])
@pytest.mark.parametrize("others", [0, 1, 99, 100, 101])
async def test_unread_messages_above_many_own_messages_are_counted(store: SqliteStore, own: int, others: int) -> None:
    entries = [*conversation(count=1)]
    entries += [message("room", seq, "alice") for seq in range(2, 2 + own)]
    entries += [message("room", seq, "bob") for seq in range(2 + own, 2 + own + others)]
    await write(store, entries)
    await store.mark("alice", "room", MarkerUpdate(read=2, unread_from=2))
    page = await store.page("alice", None, 1)
    total = await store.unread_total("alice")
    assert page.rooms[0].unread == total.messages == min(others, 100)
