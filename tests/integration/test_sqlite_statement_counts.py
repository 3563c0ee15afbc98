"""Reads of many rooms take a fixed number of SQL statements."""

from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatcore.domain.state import MarkerUpdate
from chatcore.testing.builders import conversation, message
from chatcore.testing.logs import write
from chatcore_sqlite import SqliteStore
from chatcore_sqlite.data_folder import connect_reader
from chatcore_sqlite.queries import Snapshot
from chatcore_sqlite.statements import UNREAD_SCAN

pytestmark = pytest.mark.anyio

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


async def test_catch_up_without_new_entries_takes_two_statements_per_room(store: SqliteStore, rooms: list[str]) -> None:
    cursors = dict.fromkeys(rooms, 10)
    caught_up, statements = counted(store, lambda snapshot: snapshot.catch_up("alice", cursors, 100, 1_000_000))
    assert len(caught_up) == ROOMS
    assert statements <= 2 * ROOMS


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
