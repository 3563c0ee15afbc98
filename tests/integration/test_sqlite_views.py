"""All tables except the log and the markers can be rebuilt from the log."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from chatcore.domain.entries import Entry, Event
from chatcore.domain.state import MarkerUpdate
from chatcore.errors import Unavailable
from chatcore.ids import RoomId
from chatcore.testing.builders import conversation, joined, message, opened, opens
from chatcore.testing.histories import KINDS, USERS, Move, history
from chatcore.testing.logs import write
from chatcore.testing.model import MemberMarkers, state_of
from chatcore.testing.room_histories import check
from chatcore_sqlite import SqliteStore, view_rebuild
from chatcore_sqlite.schema import MIGRATIONS

pytestmark = pytest.mark.anyio

LOG = {"entries", "store", "markers", "accounts", "account_names", "sessions", "rooms", "probes", "blocks", "last_seen"}
"""The tables that are no views. Of `rooms`, only id and name."""

TO_VERSION_1 = """
    DROP TABLE messages; DROP TABLE edits; DROP TABLE reactors; DROP TABLE reactions;
    DROP INDEX entries_of_messages; DROP INDEX entries_of_edits;
    ALTER TABLE store DROP COLUMN views; ALTER TABLE store DROP COLUMN folded;
    ALTER TABLE markers DROP COLUMN unread_from; ALTER TABLE markers DROP COLUMN muted;
    DROP TABLE probes; DROP TABLE blocks; DROP TABLE last_seen; DROP TABLE account_names; DROP INDEX members_listed;
    DROP INDEX rooms_by_title; ALTER TABLE rooms DROP COLUMN form;
    PRAGMA user_version = 1;
"""

Rooms = dict[RoomId, tuple[Sequence[Entry], MemberMarkers]]


def rich_history(room: RoomId, seed: int, moves: int) -> Sequence[Entry]:
    """Return entries of every kind."""
    random = Random(seed)
    return history(
        room,
        [
            Move(random.choice(KINDS), random.choice(USERS), random.choice(USERS), random.randrange(99))
            for _ in range(moves)
        ],
    )


async def fill(store: SqliteStore) -> Rooms:
    """Write rooms with rich histories in turns, and move their markers."""
    histories = {room: rich_history(room, seed, 180) for seed, room in enumerate(["a", "b", "🙂"])}
    histories["opened"] = [opened("opened", opens=opens(*USERS, title="old")), message("opened", 2)]
    assert {type(entry.event) for entries in histories.values() for entry in entries} == set(get_args(Event))
    rooms: Rooms = {room: (entries, MemberMarkers()) for room, entries in histories.items()}
    for start in range(0, 200, 20):
        for room, (entries, markers) in rooms.items():
            for entry in entries[start : start + 20]:
                markers.append(entry)
            if part := entries[start : start + 20]:
                await write(store, part)
            written = entries[: start + 20]
            for number, user in enumerate(USERS):
                change = MarkerUpdate(read=start + number, unread_from=start + 1 if number % 2 else None, muted=True)
                markers.mark(user, change, state_of(written))
                await store.mark(user, room, change)
    return rooms


async def check_all(store: SqliteStore, rooms: Rooms) -> None:
    for entries, markers in rooms.values():
        await check(store, entries, markers)
    page = await store.page("alice", None, 10)
    listed = [room for room, (entries, _) in rooms.items() if _is_listed("alice", entries)]
    assert {view.room for view in page.rooms} == set(listed)


def _is_listed(user: str, entries: Sequence[Entry]) -> bool:
    member = state_of(entries).members.get(user)
    return member is not None and member.state != "banned"


async def tables(store: SqliteStore) -> dict[str, int]:
    def rows(connection: sqlite3.Connection) -> dict[str, int]:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names.fetchall()}

    return await store.database.read(rows)


async def test_deleted_views_are_rebuilt_from_log(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        rooms = await fill(store)
        before = await tables(store)
        assert before.keys() - LOG == view_rebuild.TABLES.keys()
        assert all(before.values()) or not before["accounts"]

        def lose(connection: sqlite3.Connection) -> None:
            for table in before.keys() - LOG:
                connection.execute(f"DELETE FROM {table}")
            connection.execute(
                "UPDATE rooms SET kind = '', title = 'wrong', form = 'wrong', head = 0, at = 0, members_count = 77"
            )

        await store.database.write(lose)
        await store.rebuild_views()
        assert await tables(store) == before
        await check_all(store, rooms)
        await write(store, [message("a", len(rooms["a"][0]) + 1, key="goes on")])


async def test_wrong_views_are_corrected_by_rebuild(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        rooms = await fill(store)

        def spoil(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE members SET role = 'owner', standing = 'member', since = 1")
            connection.execute("INSERT OR REPLACE INTO members SELECT room, 'mallory', role, 1, standing FROM members")
            connection.execute("UPDATE messages SET author = 'mallory'")
            connection.execute("UPDATE edits SET seq = target")
            connection.execute("UPDATE reactions SET users = '[\"mallory\"]', count = 99")

        await store.database.write(spoil)
        await store.rebuild_views()
        await check_all(store, rooms)


@pytest.mark.parametrize("size", [1, 7, 500])
async def test_rebuild_is_done_in_bounded_steps_and_resumes_at_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(view_rebuild, "STEP", size)
    async with SqliteStore(tmp_path) as store:
        rooms = await fill(store)
        rows = await tables(store)
        await store.database.write(view_rebuild.begin)
        for _ in range(300 // size):
            assert await store.database.write(view_rebuild.step)
    async with SqliteStore(tmp_path) as store:
        await check_all(store, rooms)
        await store.database.write(view_rebuild.begin)
        steps = 0
        while await store.database.write(view_rebuild.step):
            steps += 1
        worked = sum(rows[table] for table in ("entries", *view_rebuild.TABLES))
        assert worked / size <= steps <= worked / size + 12
        await check_all(store, rooms)


async def test_calls_during_rebuild_are_unavailable(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await write(store, conversation())
        await store.database.write(view_rebuild.begin)
        calls = [
            lambda: store.append([message(seq=11, key="new")]),
            lambda: store.read_on("room", 0, 10),
            lambda: store.window("bob", "room", "newest", 10, 0),
            lambda: store.state("room"),
            lambda: store.memberships("bob"),
            lambda: store.catch_up("bob", {"room": 0}, 10, 10),
            lambda: store.changes(None, 1),
            lambda: store.page("bob", None, 10),
            lambda: store.public_rooms("bob", "", None, 10),
            lambda: store.views("room", ["bob"]),
            lambda: store.markers("room", ["bob"]),
            lambda: store.mark("bob", "room", MarkerUpdate(read=1)),
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                await call()
        await store.rebuild_views()
        for call in calls:
            await call()


async def test_file_of_version_1_keeps_its_content(tmp_path: Path) -> None:
    entries = [
        opened(opens=opens("alice", "bob", title="old")),
        joined("room", 2, "carol", role="admin"),
        *(message(seq=seq, author="bob" if seq % 3 else "carol", body=f"old {seq}") for seq in range(3, 50)),
    ]
    markers = MemberMarkers()
    for entry in entries:
        markers.append(entry)
    async with SqliteStore(tmp_path) as store:
        await write(store, entries)
        epoch = store.epoch
    with closing(sqlite3.connect(tmp_path / "chatcore.sqlite3")) as connection:
        connection.executescript(TO_VERSION_1)
        connection.execute("VACUUM")
        with closing(sqlite3.connect(":memory:")) as first:
            first.executescript(MIGRATIONS[0].script)
            assert _tables(connection) == _tables(first)
    async with SqliteStore(tmp_path) as store:
        assert store.epoch == epoch
        await check(store, entries, markers)
        change = MarkerUpdate(read=10, unread_from=5, muted=True)
        markers.mark("bob", change, state_of(entries))
        await store.mark("bob", "room", change)
        await check(store, entries, markers)


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')")]
    return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in sorted(names)}
