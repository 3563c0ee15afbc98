"""Appends to many rooms by one statement write what appends of one batch after the other write."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from sqlite3 import Connection
from typing import TypeAlias

import pytest
from attrs import evolve

from chatcore.domain.entries import Entry, Message
from chatcore.errors import Unavailable
from chatcore.ids import RoomId
from chatcore.ports.entry_log import AppendResult
from chatcore.testing.builders import conversation, joined, message
from chatcore.testing.histories import KINDS, Move, history
from chatcore.testing.logs import HOSTILE_NAMES, everything, write
from chatcore_sqlite import SqliteStore, statements, view_rebuild
from chatcore_sqlite.appends import Appends
from chatcore_sqlite.data_folder import connect_writer
from chatcore_sqlite.log_writer import Append
from chatcore_sqlite.schema import migrate

from .sqlite_group import traced

pytestmark = pytest.mark.anyio

Batch: TypeAlias = Sequence[Entry]
Outcome: TypeAlias = AppendResult | Exception

ROOMS = ["plain", "a\0b", *HOSTILE_NAMES]
AUTHORS = ["alice", "bob", *HOSTILE_NAMES]
KEYS = ["k", "\0", "a\0b", "a\0c", "K", "'", "🙂"]
TABLES = {
    "rooms": "*",
    "entries": ", ".join(["room", *statements.ENTRY.split(", "), "affects"]),  # positions order no two rooms
    "messages": "*",
    "edits": "*",
    "reactors": "*",
    "reactions": "*",
    "members": "*",
    "markers": "*",
    "sqlite_sequence": "*",
}
"""The tables that an append may change, and their columns that must not depend on the order of the rooms."""


class Database:
    """An empty database with the connection of the thread that writes."""

    def __init__(self, file: Path) -> None:
        file.touch()
        self.connection: Connection = connect_writer(file)
        migrate(self.connection, file)
        self.connection.execute("UPDATE store SET views = ?", (view_rebuild.RIGHT,))
        self.connection.executescript(statements.MESSAGE_WRITER)

    def content(self) -> Mapping[str, Sequence[object]]:
        rows = {name: self.connection.execute(f"SELECT {columns} FROM {name}") for name, columns in TABLES.items()}
        return {name: sorted(found, key=repr) for name, found in rows.items()}


def one_after_the_other(connection: Connection, batches: Sequence[Batch]) -> Sequence[Outcome]:
    """Append each batch in a savepoint of its own, without the statement for messages."""
    outcomes: list[Outcome] = []
    for batch in batches:
        connection.execute("SAVEPOINT one")
        try:
            outcomes.append(Append(batch)(connection))
        except Exception as error:  # noqa: BLE001 - it is what the test compares
            connection.execute("ROLLBACK TO one")
            outcomes.append(error)
        connection.execute("RELEASE one")
    return outcomes


def said(outcome: Outcome) -> object:
    """Return an outcome in a form that can be compared."""
    return (type(outcome), str(outcome)) if isinstance(outcome, Exception) else outcome


def rounds(random: Random) -> Sequence[Sequence[Batch]]:
    """Return calls with a batch for each of some rooms: parts of random histories, with conflicts of every kind."""
    logs = {room: _log(random, room) for room in random.sample(ROOMS, 6)}
    places = dict.fromkeys(logs, 0)
    calls: list[Sequence[Batch]] = []
    while any(places[room] < len(log) for room, log in logs.items()):
        call: list[Batch] = []
        for room in random.sample(list(logs), random.randrange(1, 7)):
            place, size = places[room], random.choice([1, 1, 1, 2, 5])
            if batch := logs[room][place : place + size]:
                call.append(_spoilt(random, batch) if random.random() < 0.15 else batch)
                if call[-1] is batch:
                    places[room] += len(batch)
        calls.append(call)
    return calls


def _log(random: Random, room: RoomId) -> Batch:
    kinds = (*KINDS, *["message"] * 40)
    moves = [
        Move(random.choice(kinds), random.choice("ab"), random.choice("abc"), random.randrange(99)) for _ in range(30)
    ]
    users = dict(zip("ab", random.sample(AUTHORS, 2), strict=True))
    return [
        evolve(
            entry,
            author=users.get(entry.author, entry.author),
            key=f"{random.choice(KEYS)}{entry.seq}",
            digest=random.choice([None, "digest"]),
        )
        for entry in history(room, moves)
    ]


def _spoilt(random: Random, batch: Batch) -> Batch:
    """Return a batch that is not written as a whole: its seq or its key is taken, its place is wrong, or no text."""
    first, last = batch[0], batch[-1]
    match random.randrange(6):
        case 0:
            return [evolve(entry, seq=entry.seq + 1, opens=None) for entry in batch]
        case 1 if first.seq > 1:
            return [evolve(first, seq=first.seq - 1)]
        case 2 if len(batch) > 1:
            return [*batch[:-1], evolve(last, author=first.author, key=first.key)]
        case 3:
            return [evolve(first, event=Message(body="no text: \ud800"))]
        case 4:
            return [evolve(first, event=Message(body="", data={"no JSON": object}))]
        case _:
            return [evolve(first, room=f"unborn {first.room}", opens=None)]


@pytest.mark.parametrize("seed", range(40))
def test_appends_together_write_what_single_appends_write(tmp_path: Path, seed: int) -> None:
    together, single = Database(tmp_path / "together"), Database(tmp_path / "single")
    with closing(together.connection), closing(single.connection):
        for batches in rounds(Random(seed)):
            outcomes = as_group(together, Appends(batches))
            expected = in_transaction(single, partial(one_after_the_other, batches=batches))
            assert list(map(said, outcomes)) == list(map(said, expected))
        assert together.content() == single.content()


def as_group(database: Database, appends: Appends) -> Sequence[Outcome]:
    """Write the batches as the thread that writes does when no other job shares the commit."""
    before = database.content()
    outcomes = appends.alone(database.connection)
    assert not database.connection.in_transaction
    if outcomes is not None:
        return outcomes
    assert database.content() == before
    return in_transaction(database, appends)


def in_transaction(database: Database, append: Callable[[Connection], Sequence[Outcome]]) -> Sequence[Outcome]:
    database.connection.execute("BEGIN IMMEDIATE")
    outcomes = append(database.connection)
    database.connection.execute("COMMIT")
    return outcomes


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore, None]:
    async with SqliteStore(tmp_path) as store:
        yield store


def message_writes(executed: Sequence[str]) -> set[str]:
    """Return the executed statements that write messages. Python names them again for every step of the trigger."""
    return {sql for sql in executed if "INSERT INTO message_entries" in sql}


async def test_messages_of_many_rooms_are_written_by_one_statement(store: SqliteStore) -> None:
    rooms = [f"room {number}" for number in range(200)]
    await store.append_all([conversation(room, 1) for room in rooms])
    executed = await traced(store.database)
    assert await store.append_all([[message(room, 2)] for room in rooms]) == [AppendResult(written=1)] * 200
    assert len(message_writes(executed)) == 1
    # No BEGIN and no COMMIT either: the statement is the transaction.
    assert not {"BEGIN IMMEDIATE", "SAVEPOINT job", "SAVEPOINT append", "COMMIT"} & set(executed)


async def test_refused_batch_costs_the_others_few_statements(store: SqliteStore) -> None:
    rooms = [f"room {number}" for number in range(200)]
    await store.append_all([conversation(room, 1) for room in rooms])
    batches = [[message(room, 2)] for room in rooms]
    batches[77] = [message("room 77", 2, key="key-1")]
    executed = await traced(store.database)
    outcomes = await store.append_all(batches)
    (taken,) = await everything(store, "room 77")
    expected = [AppendResult(written=1)] * 200
    expected[77] = AppendResult(written=0, taken=taken)
    assert outcomes == expected
    assert len(message_writes(executed)) <= 1 + 2 * 8  # the halves of 200, down to one
    assert executed.count("SAVEPOINT append") == 1


async def test_more_messages_than_one_statement_takes_are_written(store: SqliteStore) -> None:
    rooms = [f"room {number}" for number in range(5)]
    counts = [100, statements.MESSAGES_MAX, statements.MESSAGES_MAX + 1, 156, 0]
    await store.append_all([conversation(room, 1) for room in rooms])
    batches = [[message(room, 2 + n) for n in range(count)] for room, count in zip(rooms, counts, strict=True)]
    assert await store.append_all(batches) == [AppendResult(written=count) for count in counts]
    for room, batch in zip(rooms, batches, strict=True):
        assert (await everything(store, room))[1:] == batch


async def test_no_batch_is_appended_while_views_are_rebuilt(store: SqliteStore) -> None:
    for room in ("a", "b"):
        await write(store, conversation(room, 2))
    await store.database.write(view_rebuild.begin)
    for batches in ([[message("a", 3)], [message("b", 3)]], [[message("a", 3)], conversation("c", 1)]):
        outcomes = await store.append_all(batches)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 2
    await store.rebuild_views()
    assert len(await everything(store, "a")) == 2
    assert await store.append_all([[message("a", 3)], [joined("b", 3, "carol")]]) == [AppendResult(written=1)] * 2
