"""Which servers and databases a store opens and which it refuses."""

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from pymongo import MongoClient

from chatcore.errors import StoreError, Unavailable
from chatcore.testing.builders import left, message, opened, opens, updated
from chatcore.testing.logs import write
from chatcore_mongo import MongoStore, migrations
from chatcore_mongo.documents import ACCOUNTS, BLOCKS, ENTRIES, LAST_SEEN, MARKERS, META, ROSTERS, SESSIONS, SOCKETS
from chatcore_mongo.log_writer import LogWriter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_too_old_server_is_refused_with_needed_version_and_unchanged(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MongoClient[Any](mongo_url) as client:
        actual_version = client.server_info()["version"]
        client.drop_database(client.get_default_database().name)
        monkeypatch.setattr(migrations, "OLDEST_SERVER", (1_000, 2))
        with pytest.raises(StoreError, match=rf"is MongoDB {actual_version}; 1000\.2 or newer is needed\.$"):
            async with MongoStore(mongo_url):
                pass
        assert client.get_default_database().list_collection_names() == []


async def test_opening_makes_every_collection(mongo_url: str) -> None:
    """The server refuses reads of a collection for a moment after a write has made it."""
    with MongoClient[Any](mongo_url) as client:
        client.drop_database(client.get_default_database().name)
        async with MongoStore(mongo_url):
            made = set(client.get_default_database().list_collection_names())
    assert made == {ACCOUNTS, BLOCKS, ENTRIES, LAST_SEEN, MARKERS, META, ROSTERS, SESSIONS, SOCKETS}


async def test_public_rooms_of_earlier_versions_are_found_however_often_the_step_runs(mongo_url: str) -> None:
    version = 1 + [migration.apply for migration in migrations.MIGRATIONS].index(migrations.list_public_rooms)

    async def titles() -> list[str | None]:
        async with MongoStore(mongo_url) as store:
            return [view.title for view in (await store.public_rooms("eve", "", None, 100)).rooms]

    async with MongoStore(mongo_url) as store:
        for title in ("Tea", "Cake", "Empty"):
            await write(store, [opened(title, opens=opens("alice", kind="public", title=title))])
        await write(store, [updated("Cake", 2, "Wine"), message("Cake", 3)])
        await write(store, [left("Empty", 2, "alice")])
        await write(store, [opened("Group", opens=opens("alice", title="Group")), updated("Group", 2, "Our group")])
    with MongoClient[Any](mongo_url) as client:
        database = client.get_default_database()
        database[ENTRIES].update_many({}, {"$unset": {"listed": ""}})
        for index in ("public", "public_by_title"):
            database[ENTRIES].drop_index(index)
        for seq, title, before in ((4, "Beer", ["Tea", "Wine"]), (5, "Water", ["Beer", "Tea"])):
            database[META].update_one(migrations.STORE, {"$set": {"version": version - 1}})
            assert await titles() == before
            async with MongoStore(mongo_url) as store:
                await write(store, [updated("Cake", seq, title)])
        assert await titles() == ["Tea", "Water"]


async def enter(store: MongoStore) -> None:
    async with store:
        pass


def test_opening_on_trio_raises_error_that_names_asyncio(mongo_url: str) -> None:
    with pytest.raises(RuntimeError, match=r"run the program on asyncio\.$"):
        anyio.run(enter, MongoStore(mongo_url), backend="trio")


async def refusal(url: str) -> str:
    with pytest.raises(StoreError) as refused:
        async with MongoStore(url, serverSelectionTimeoutMS=500):
            pass
    return str(refused.value)


async def test_refusal_by_server_is_reported_with_code_and_name(mongo_url: str) -> None:
    with MongoClient[Any](mongo_url) as client:
        client.drop_database(client.get_default_database().name)
        client.get_default_database()[ENTRIES].create_index("another", name="by_seq")
        sentence = await refusal(mongo_url)
        client.drop_database(client.get_default_database().name)
    assert "the server refused (code 86, IndexKeySpecsConflict)" in sentence


async def test_contradicting_entries_are_reported_without_content(mongo_url: str) -> None:
    with MongoClient[Any](mongo_url) as client:
        client.drop_database(client.get_default_database().name)
        client.get_default_database()[ENTRIES].insert_many([{"room": "geheim", "seq": 1} for _ in range(2)])
        sentence = await refusal(mongo_url)
        client.drop_database(client.get_default_database().name)
    assert "entries contradict each other (code 11000, DuplicateKey)" in sentence
    assert sentence.endswith("restore a backup.")
    assert "geheim" not in sentence


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"version": "5"}, "version is no whole number"),
        ({"version": 5.0}, "version is no whole number"),
        ({"version": True}, "version is no whole number"),
        ({"version": -1}, "version is no whole number"),
        ({"version": None}, "version is no whole number"),
        ({"epoch": 7}, "epoch is missing or no text"),
    ],
)
async def test_database_with_invalid_metadata_is_refused(wrong: Mapping[str, Any], reason: str, mongo_url: str) -> None:
    with MongoClient[Any](mongo_url) as client:
        client.drop_database(client.get_default_database().name)
        client.get_default_database()["meta"].insert_one({"_id": "store", "version": 5, "epoch": "e", **wrong})
        refused = await refusal(mongo_url)
        client.drop_database(client.get_default_database().name)
    assert reason in refused
    assert refused.endswith("restore a backup.")


@pytest.mark.parametrize("address", ["mongodb://", "mongodb://h:x/", "mongodb://a/b?w=geheim&x", "mongodb://[geheim"])
async def test_malformed_address_is_refused_without_showing_password(address: str) -> None:
    assert "geheim" not in await refusal(address)


async def test_opening_cancelled_in_last_step_closes_database(mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = asyncio.Event()

    async def hang(_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(LogWriter, "erase_pending", hang)
    store = MongoStore(mongo_url)
    entering = asyncio.create_task(store.__aenter__())
    await reached.wait()
    assert store.database.epoch
    entering.cancel()
    await asyncio.wait([entering])
    assert entering.cancelled()
    with pytest.raises(Unavailable):
        _ = store.database.epoch


@pytest.mark.parametrize("option", ["replicaSet=wrong", "tls=true"])
async def test_refusal_for_wrong_option_names_options_to_check(mongo_url: str, option: str) -> None:
    assert "check replicaSet, tls and the other options of the address" in await refusal(f"{mongo_url}?{option}")
