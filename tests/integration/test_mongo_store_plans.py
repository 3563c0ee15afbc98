"""Every query uses an index."""

import os
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from bson import ObjectId, Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from chatcore.accounts import Session
from chatcore.domain.entries import Edited, Reacted
from chatcore.domain.page_tokens import TitlePlace
from chatcore.domain.state import MEMBERS_MAX, MarkerUpdate
from chatcore.ids import Seq
from chatcore.ports.registry import SocketInfo
from chatcore.ports.room_views import PUBLIC_ROOMS_LOOKED_AT, Anchor, FirstUnread
from chatcore.testing.builders import NOON, banned, conversation, entry, joined, left, message, opened, opens, updated
from chatcore.testing.logs import write
from chatcore_mongo import MongoAccounts, MongoRegistry, MongoStore, queries
from chatcore_mongo.documents import ENTRIES, ERASE_MESSAGE
from chatcore_mongo.queries import Query

from .mongo_plans import Commands, Plan, explain

pytestmark = pytest.mark.anyio

LENGTH = int(os.environ.get("CHATCORE_TEST_LOG_LENGTH", "20000"))
"""The number of entries of a long room. The soak session uses 1,000,000."""
SHAPES_MIN = 60
"""The least number of shapes: the contract suites have more."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def filled(mongo_url: str, anyio_backend: str) -> str:
    """A database large enough that the choice of an index matters."""
    async with MongoStore(mongo_url) as store:
        await write(store, conversation("long", LENGTH))
        for number in range(100):
            await write(store, conversation(f"room {number}", 3))
        await write(store, [opened("room", opens=opens("alice", "bob")), *(message(seq=n) for n in range(2, 51))])
        thumb = [Reacted(target=1 + n % 2, emoji="👍", on=True) for n in range(100)]
        await write(store, [entry(event, seq=51 + n, author=f"user {n}") for n, event in enumerate(thumb)])
        await write(store, [entry(Edited(target=1, version=2 + n, body="x"), seq=151 + n) for n in range(50)])
        await write(store, [joined("room", 201 + n, f"user {n}") for n in range(300)])
        for number in range(100):
            await write(store, [opened(f"public {number}", opens=opens("alice", kind="public", title=f"t{number:02}"))])
        await write(store, [updated("public 7", 2 + number, f"u{number}") for number in range(50)])
        await store.state("room")
        await store.mark("bob", "room", MarkerUpdate(read=7))
        accounts, socket = MongoAccounts(store.database), SocketInfo(id="s", user="bob", device="", node="", since=NOON)
        await accounts.create("bob", "$hash$", None)
        await accounts.open_session(Session(id="s", user="bob", device="phone", generation=1), timedelta(days=1))
        await MongoRegistry(store.database).add(socket)
    return mongo_url


@pytest.fixture
def database(filled: str) -> Generator[Database[Any]]:
    with MongoClient[Any](filled) as client:
        yield client.get_default_database()


def explained(database: Database[Any], query: Query) -> Plan:
    return explain(database, {"aggregate": query.collection, "pipeline": list(query.stages), "cursor": {}})


ONCE_AT_OPENING = {"update meta", "find meta"}
"""Stages of queries on a collection with one document."""


def name_of(command: Mapping[str, Any]) -> str:
    name = next(iter(command))
    return f"{name} {command[name]}"


@pytest.mark.timeout(300)  # run alone, this test runs the contract suites
def test_no_query_of_the_contract_suites_scans_or_sorts(contract_commands: Commands, database: Database[Any]) -> None:
    wrong: list[str] = []
    for shape, command in contract_commands.shapes.items():
        plan = explain(database, command)
        if plan.names & {"COLLSCAN", "SORT"} and name_of(command) not in ONCE_AT_OPENING:
            wrong.append(f"{sorted(plan.names)}: {shape}")
    print(f"{len(contract_commands.shapes)} shapes of queries")
    assert not wrong, "\n".join(wrong)
    assert len(contract_commands.shapes) >= SHAPES_MIN


EVER = Timestamp(0, 0), Timestamp(2**32 - 1, 2**32 - 1)

INDEXES: Sequence[tuple[Query, str, int]] = [
    (queries.head("long"), "by_seq", 1),
    (queries.entry_at("long", 5), "by_seq", 1),
    (queries.message_at("long", 5), "by_seq", 1),
    (queries.above("long", 100, LENGTH, 50), "by_seq", 50),
    (queries.below("long", 9_000, 50), "by_seq", 50),
    (queries.newest("long", 50), "by_seq", 50),
    *[(query, "messages_by_deletion", 50) for query in queries.messages_above("long", 100, LENGTH, 50)],
    *[(query, "messages_by_deletion", 50) for query in queries.messages_below("long", 9_000, 50)],
    (queries.epoch(), "_id_", 1),
    (queries.markers(["room\0bob", "room\0alice"]), "_id_", 1),
    (queries.by_id([ObjectId(), ObjectId()]), "_id_", 0),
    (queries.holders("long", "alice", ["key-1", "key-3"]), "by_key", 2),
    (queries.heads(["long", "room", "room 1", "unborn"]), "by_seq", 3),
    (queries.pending_erasures(["long", "room"]), "pending", 0),
    (queries.all_pending_erasures(10), "pending", 0),
    (queries.membership_changes(["alice", "user 7"], ["long", "room"], LENGTH), "by_affected", 3),
    (queries.membership_changes(["user 7"], None), "by_affected", 1),
    (queries.rooms_of("user 7"), "by_affected", 0),
    (queries.own_changes("user 7", 100), "by_affected", 1),
    (queries.seqs(["long", "room", "room 1", "unborn"]), "by_seq", 0),
    (queries.last_entries(["long", "room", "room 1", "unborn"]), "by_seq", 3),
    (queries.room_parts(["long", "room", "room 1", "unborn"], ["bob"])[0], "by_seq", 3),
    (queries.room_parts_at({"long": ObjectId()}, ["bob"])[0], "_id_", 0),
    (queries.above_each({"long": (100, 150), "room": (5, 10)}), "by_seq", 55),
    (queries.unread_between("bob", ["long", "room"], 20, 90), "messages_by_deletion", 0),
    (queries.room_membership_changes("room", 1, 300), "shapes", 100),
    (queries.last_changes("room", [1, 2, 3], 1_000), "changes", 3),
    (queries.last_changes("room", range(1, 4), 1_000), "changes", 3),
    (queries.reactions_of("room", ["user 7"], [2], 1_000), "reactions", 1),
    (queries.reactions_to("room", 2, 1_000), "changes", 50),
    (queries.first_unread("long", "bob", 9_000, LENGTH, [9_001]), "messages_by_deletion", 0),
    (queries.unread("long", "bob", 9_000, LENGTH, [9_001]), "messages_by_deletion", 0),
    (queries.newest_change(), "by_ts", 1),
    (queries.changes(Timestamp(0, 0), 10), "by_ts", 10),
    (queries.changes_between(*EVER), "by_ts", 0),
    (queries.seconds_of_changes(*EVER), "by_ts", 0),
    (queries.entries_by_time(Timestamp(0, 0), 10), "by_ts", 10),
    (queries.entries_between("long", 100, 150), "by_seq", 50),
    (queries.rooms_between(*EVER), "by_ts", 0),
    *[(query, "public_by_title", 0) for query in queries.public_rooms("t", TitlePlace("t30", "public 30"), 50)],
    *[(query, "public_by_title", 0) for query in queries.public_rooms("", TitlePlace("", ""), 50)],
    (Query(ENTRIES, [{"$match": queries.former_titles("public 7", 51)}]), "public", 0),
]


@pytest.mark.parametrize(("query", "index", "documents"), INDEXES)
def test_query_uses_its_index(database: Database[Any], query: Query, index: str, documents: int) -> None:
    plan = explained(database, query)
    assert plan.indexes == {index}, plan.stages
    assert plan.documents <= documents


def test_every_index_is_used_by_query(database: Database[Any]) -> None:
    assert set(database[ENTRIES].index_information()) == {index for _, index, _ in INDEXES}


MIDDLE: Sequence[Anchor] = [LENGTH // 2, FirstUnread(user="bob", read=LENGTH // 2)]


@pytest.mark.parametrize("messages_only", [False, True])
@pytest.mark.parametrize("anchor", MIDDLE, ids=["a seq", "first unread"])
async def test_page_amid_long_room_examines_at_most_four_extra_documents(
    filled: str, database: Database[Any], anchor: Anchor, messages_only: bool
) -> None:
    commands = Commands()
    async with MongoStore(filled, event_listeners=[commands]) as store:
        read = partial(store.window, "alice", "long", anchor, messages_only=messages_only)
        for before, after in ((50, 50), (200, 0), (0, 200)):
            commands.sent.clear()
            page = await read(before, after)
            seqs: list[Seq] = [entry.seq for entry in page.entries]
            assert len(seqs) == before + 1 + after
            examined = sum(explain(database, command).documents for command in commands.sent)
            assert examined <= len(seqs) + 4


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def store(filled: str, commands: Commands) -> AsyncGenerator[MongoStore]:
    async with MongoStore(filled, event_listeners=[commands]) as store:
        yield store


def examined(database: Database[Any], commands: Commands) -> tuple[int, int]:
    """Return how many keys of indexes, and how many documents, the commands examine."""
    plans = [explain(database, command) for command in commands.sent]
    return sum(plan.keys for plan in plans), sum(plan.documents for plan in plans)


async def test_unread_over_many_deleted_messages_examines_few_keys(
    database: Database[Any], store: MongoStore, commands: Commands
) -> None:
    await write(store, conversation("erased", LENGTH))
    erased = database[ENTRIES].update_many({"room": "erased", "seq": {"$lte": LENGTH - 5}}, ERASE_MESSAGE)
    assert erased.modified_count == LENGTH - 5
    commands.sent.clear()
    views = await store.views("erased", ["bob"])
    window = await store.window("bob", "erased", FirstUnread(user="bob", read=0), 0, 0)
    assert (views["bob"].unread, window.entries[0].seq) == (2, LENGTH - 3)
    keys, documents = examined(database, commands)
    assert keys <= 30
    assert documents <= 15


async def test_page_of_members_examines_parts_of_the_roster_and_later_changes(
    database: Database[Any], store: MongoStore, commands: Commands
) -> None:
    users = [f"user {number:04}" for number in range(MEMBERS_MAX)]
    await write(store, [opened("crowd", opens=opens("olga", "mia"))])
    await write(store, [joined("crowd", seq, user) for seq, user in enumerate(users, start=2)])
    await store.members("olga", "crowd", None, 1)  # stores the roster
    for changes in (0, 100):
        await write(store, [banned("crowd", MEMBERS_MAX + 2 + n, users[n]) for n in range(changes)])
        for reader in ("olga", "mia"):
            commands.sent.clear()
            page = await store.members(reader, "crowd", users[999], 50)
            assert [user for user, _ in page.users] == users[1_000:1_050]
            keys, documents = examined(database, commands)
            assert documents <= 6 + changes
            assert keys <= 10 + changes
            assert len(commands.sent) == 5  # queries, in two commands


@pytest.mark.parametrize("bans", [0, 1_000])
async def test_page_of_public_rooms_examines_a_bounded_number_of_keys(
    database: Database[Any], store: MongoStore, commands: Commands, bans: int
) -> None:
    title = f"many {bans}"
    names = [f"{title} {number:04}" for number in range(1_200)]
    batches = [[opened(room, opens=opens("alice", kind="public", title=title))] for room in names]
    for room, batch in zip(names[:bans], batches[:bans], strict=True):
        batch.append(banned(room, 2, "eve"))
    await store.append_all(batches)
    shown, after, pages = list[str](), None, 0
    while pages == 0 or (after and not shown):
        commands.sent.clear()
        page = await store.public_rooms("eve", title, after, 50)
        keys, documents = examined(database, commands)
        assert keys <= 3 * PUBLIC_ROOMS_LOOKED_AT
        assert documents <= 2 * PUBLIC_ROOMS_LOOKED_AT
        shown, after, pages = [view.room for view in page.rooms], page.next, pages + 1
    assert shown == names[bans : bans + 50]
    assert pages == 1 + bans // PUBLIC_ROOMS_LOOKED_AT


async def test_title_that_a_crash_left_in_the_index_is_left_out_and_removed(
    database: Database[Any], store: MongoStore
) -> None:
    await write(store, [opened("torn", opens=opens("alice", kind="public", title="torn 1"))])
    await write(store, [updated("torn", 2, "torn 2"), updated("torn", 3, "torn 1"), updated("torn", 4, "torn 3")])
    await write(store, [opened("left", opens=opens("alice", kind="public", title="torn 4")), left("left", 2, "alice")])
    listed = {("torn", 1): "torn 1", ("torn", 2): "torn 2", ("torn", 3): "torn 1", ("left", 1): "torn 4"}
    for (room, seq), form in listed.items():
        restored = database[ENTRIES].update_one({"room": room, "seq": seq}, {"$set": {"listed": form}})
        assert restored.matched_count == 1
    for _ in range(2):
        page = await store.public_rooms("bob", "torn", None, 10)
        assert [(view.room, view.title) for view in page.rooms] == [("torn", "torn 3")]
        left_in = database[ENTRIES].find({"listed": {"$gte": "torn", "$lt": "torp"}}, {"room": 1, "seq": 1})
        assert [(entry["room"], entry["seq"]) for entry in left_in] == [("torn", 4)]


async def test_titles_that_a_room_had_are_not_in_the_index(database: Database[Any], store: MongoStore) -> None:
    await write(store, [opened("renamed", opens=opens("alice", kind="public", title="renamed"))])
    await write(store, [updated("renamed", seq, f"renamed {seq % 7}") for seq in range(2, 100)])
    await write(store, [joined("renamed", 100, "bob"), left("renamed", 101, "alice"), left("renamed", 102, "bob")])
    assert database[ENTRIES].count_documents({"room": "renamed", "listed": {"$gte": ""}}) == 0
    await write(store, [joined("renamed", 103, "bob")])
    assert database[ENTRIES].count_documents({"room": "renamed", "listed": {"$gte": ""}}) == 1
