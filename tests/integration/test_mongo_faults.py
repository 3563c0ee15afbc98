"""Real faults of the server and its connections: only durable writes are acknowledged, and the store heals."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from signal import SIGCONT, SIGSTOP
from typing import Any

import anyio
import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect
from pymongo.write_concern import WriteConcern

from chatcore.domain.entries import Entry, Message
from chatcore.domain.state import MarkerUpdate
from chatcore.errors import StoreError, Unavailable
from chatcore.ports.entry_log import AppendResult
from chatcore.testing.builders import conversation, deleted, edited, joined, message
from chatcore.testing.logs import everything, write
from chatcore.testing.tasks import at_once
from chatcore_mongo import MongoAccounts, MongoDatabase, MongoRegistry, MongoStore, group_commit
from chatcore_mongo.documents import ENTRIES, META
from chatcore_mongo.group_commit import COMMANDS_MAX

from .mongo_database import empty
from .mongod import Mongod, a_mongod

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

LIMIT_S = 2.0
"""Seconds within which the ports promise an answer or `Unavailable`."""
HEALED_S = 5.0
"""Seconds within which the store works again once the server is back."""

Call = Callable[[], Awaitable[object]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def leaks_of_the_driver() -> Generator[None]:
    """Collect the sockets that the driver leaves open without an answer, while the warning about them is ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def own() -> Generator[Mongod]:
    with a_mongod() as own:
        yield own


@pytest.fixture
async def store(own: Mongod) -> AsyncGenerator[MongoStore]:
    empty(f"{own.url}faults")
    async with MongoStore(f"{own.url}faults") as store:
        await write(store, conversation("room", 3))
        yield store


def calls(store: MongoStore, seq: int) -> Sequence[Call]:
    """Return a call of each method of a store."""
    database = store.database
    return [
        store.probe,
        partial(store.append, [message("room", seq)]),
        partial(store.append, [message(f"born at {seq}", 1), message(f"born at {seq}", 2)]),
        partial(store.read_on, "room", 0, 10),
        partial(store.window, "alice", "room", "newest", 10, 0),
        partial(store.state, "room"),
        partial(store.memberships, "alice"),
        partial(store.catch_up, "alice", {"room": 0}, 200, 10_000),
        partial(store.changes, None, 1),
        partial(store.page, "alice", None, 10),
        partial(store.views, "room", ["alice"]),
        partial(store.markers, "room", ["alice"]),
        partial(store.mark, "alice", "room", MarkerUpdate(read=1)),
        partial(MongoAccounts(database).password_hash, "bob"),
        partial(MongoAccounts(database).create, "bob", "$hash$", None),
        partial(MongoRegistry(database).of_user, "bob"),
    ]


async def seconds_until_unavailable(call: Call) -> float:
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        await call()
    return time.monotonic() - begun


async def all_unavailable_in_time(store: MongoStore) -> None:
    waits = await at_once([partial(seconds_until_unavailable, call) for call in calls(store, 4)])
    assert max(waits) < 3 * LIMIT_S


async def healed(store: MongoStore) -> None:
    """Assert that every call works again in time, and that refused entries are stored at most once."""
    async with asyncio.timeout(3 * HEALED_S):
        log = await until_available(partial(everything, store, "room"))
        assert list(log[:3]) == list(conversation("room", 3))
        assert len(log) in (3, 4)
        for call in calls(store, len(log) + 1):
            await until_available(call)
    assert len({entry.key for entry in await everything(store, "room")}) == len(await everything(store, "room"))


async def until_available(call: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_killed_server_is_unavailable_in_time_and_heals(own: Mongod, store: MongoStore) -> None:
    own.kill()
    await all_unavailable_in_time(store)
    await asyncio.to_thread(own.start)
    await healed(store)


async def test_hanging_server_is_unavailable_in_time_and_heals(own: Mongod, store: MongoStore) -> None:
    own.signal(SIGSTOP)
    await all_unavailable_in_time(store)
    own.signal(SIGCONT)
    await healed(store)


async def test_server_without_primary_is_unavailable_in_time_and_heals(own: Mongod, store: MongoStore) -> None:
    with own.client() as client, suppress(AutoReconnect):  # the server may close its connections
        client.admin.command("replSetStepDown", 4, force=True)
    await all_unavailable_in_time(store)
    await asyncio.to_thread(own.wait)
    await healed(store)


@contextmanager
def failing(own: Mongod, *commands: str, times: int | None = None, **how: Any) -> Generator[None]:
    """Let the server fail these commands of the store in the block."""
    mode = "alwaysOn" if times is None else {"times": times}
    with own.client() as client:
        data = {"failCommands": list(commands), "appName": "chatcore", **how}
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")


@asynccontextmanager
async def small(own: Mongod) -> AsyncGenerator[MongoStore]:
    """A store with one connection."""
    async with MongoStore(f"{own.url}faults", maxPoolSize=1) as store:
        yield store


async def test_full_pool_is_unavailable_in_time_and_heals(own: Mongod, store: MongoStore) -> None:
    async with small(own) as limited:
        with failing(own, "aggregate", "insert", times=1, blockConnection=True, blockTimeMS=2_500):
            waits = await at_once([partial(seconds_until_unavailable, call) for call in calls(limited, 4)[3:9]])
        assert max(waits) < 3 * LIMIT_S
        await healed(limited)


async def test_call_of_several_slow_commands_is_unavailable_in_time(own: Mongod, store: MongoStore) -> None:
    slow: Sequence[Call] = [
        partial(store.append, [joined("room", 4, "carol")]),
        partial(store.mark, "bob", "room", MarkerUpdate(read=3)),
    ]
    with failing(own, "aggregate", "insert", "update", blockConnection=True, blockTimeMS=1_100):
        waits = await at_once([partial(seconds_until_unavailable, call) for call in slow])
    assert max(waits) < 3 * LIMIT_S
    await healed(store)


async def test_call_behind_slow_commands_is_answered_or_unavailable_in_time(
    own: Mongod, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "COMMAND_ENTRIES_MAX", 1)
    rooms = [f"room {number}" for number in range(3 * COMMANDS_MAX)]
    await at_once([partial(store.append, [message(room)]) for room in rooms])

    async def seconds(room: str) -> float:
        begun = time.monotonic()
        with suppress(Unavailable):
            await store.append([message(room, 2)])
        return time.monotonic() - begun

    with failing(own, "insert", blockConnection=True, blockTimeMS=1_100):
        waits = await at_once([partial(seconds, room) for room in rooms])
    assert max(waits) < 3 * LIMIT_S
    await healed(store)


async def test_write_without_majority_is_not_acknowledged(own: Mongod, store: MongoStore) -> None:
    entry = message("room", 4)
    for batch in ([entry], [entry, message("room", 5)]):
        with failing(own, "insert", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"}):
            assert await seconds_until_unavailable(partial(store.append, batch)) < 3 * LIMIT_S
    log = await everything(store, "room")
    assert log[3] == entry
    appended = await store.append([message("room", len(log) + 1, key=entry.key)])
    assert appended.taken == entry


async def test_failure_of_one_room_in_group_does_not_affect_other_rooms(own: Mongod, store: MongoStore) -> None:
    good = [message(f"room {number}") for number in range(5)]
    bad = message("bad", body="\ud800")

    async def append(entry: Entry) -> str:
        try:
            return f"{(await store.append([entry])).written}"
        except UnicodeEncodeError:
            return "refused"

    outcomes = await at_once([partial(append, entry) for entry in (*good[:2], bad, *good[2:])])
    assert outcomes == ["1", "1", "refused", "1", "1", "1"]
    bad = message("room", 4, body="\ud800")
    first, second, third = await store.append_all([[message("room 0", 2)], [bad], [message("room 1", 2)]])
    assert (first, third) == (AppendResult(written=1), AppendResult(written=1))
    assert isinstance(second, UnicodeEncodeError)


async def test_cancelled_append_ends_at_once_and_is_written_once(own: Mongod, store: MongoStore) -> None:
    with failing(own, "insert", times=1, blockConnection=True, blockTimeMS=200):
        task = asyncio.create_task(store.append([message("room", 4)]))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with MongoStore(f"{own.url}faults") as other:
        async with asyncio.timeout(3 * HEALED_S):
            while len(await everything(other, "room")) < 4:
                pass
        assert (await store.append([message("room", 5, key="key-4")])).taken == message("room", 4)


async def test_write_of_several_steps_is_completed_after_cancellation(own: Mongod, store: MongoStore) -> None:
    with failing(own, "update", times=1, blockConnection=True, blockTimeMS=200):
        task = asyncio.create_task(store.mark("bob", "room", MarkerUpdate(read=2)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(3 * HEALED_S):
        while (await store.markers("room", ["bob"]))["bob"].read < 2:
            pass


async def test_entry_without_majority_is_invisible_and_not_acknowledged(own: Mongod, store: MongoStore) -> None:
    with own.client() as client:
        entries = client["faults"].get_collection(ENTRIES, write_concern=WriteConcern(w=1))
        (third,) = entries.find({"room": "room", "seq": 3})
        client.admin.command("configureFailPoint", "disableSnapshotting", mode="alwaysOn")
        try:
            entries.insert_one({**third, "_id": ObjectId(), "seq": 4, "key": "retried"})
            assert len(await everything(store, "room")) == 3
            assert await store.append([message("room", 5)]) == AppendResult(written=0)
            with suppress(Unavailable):
                again = await store.append([message("room", 4, key="retried")])
                # The entry may have reached a majority meanwhile: then every reader sees the entry.
                assert again == AppendResult(written=0) or len(await everything(store, "room")) == 4
        finally:
            client.admin.command("configureFailPoint", "disableSnapshotting", mode="off")
    await healed(store)
    log = await everything(store, "room")
    assert (await store.append([message("room", len(log) + 1, key="retried")])).taken == log[3]


async def test_probe_fails_if_database_accepts_no_writes(own: Mongod, store: MongoStore) -> None:
    await store.probe()
    with failing(own, "update", errorCode=10107):
        assert await everything(store, "room") == conversation("room", 3)
        await seconds_until_unavailable(store.probe)
    await until_available(store.probe)


def dropped(own: Mongod) -> None:
    with own.client() as client:
        client.drop_database("faults")


def replaced(own: Mongod) -> None:
    """Drop the database, and let a new server create it again, before the other servers notice."""
    dropped(own)
    with own.client() as client:
        client["faults"][META].insert_one({"_id": "store", "epoch": "another", "version": 5})


def probe(store: MongoStore) -> Call:
    return store.probe


def follow(store: MongoStore) -> Call:
    return partial(store.changes, None, 1)


@pytest.mark.parametrize("look", [probe, follow])
@pytest.mark.parametrize("lose", [dropped, replaced])
async def test_replaced_database_is_refused_once_noticed_until_reopened(
    own: Mongod, lose: Callable[[Mongod], None], look: Callable[[MongoStore], Call], caplog: pytest.LogCaptureFixture
) -> None:
    dropped(own)
    store = MongoStore(f"{own.url}faults")
    async with store:
        await write(store, conversation("room", 3))
        lose(own)
        for call in [look(store), *calls(store, 4)]:
            await seconds_until_unavailable(call)
        with pytest.raises(StoreError, match="restart every server"):
            await store.__aenter__()
    assert [record.levelname for record in caplog.records if record.name.startswith("chatcore")] == ["ERROR"]
    assert "dropped or replaced" in caplog.text
    assert "restart every server" in caplog.text
    dropped(own)
    async with store:
        assert await store.append([message("room", 4)]) == AppendResult(written=0)
        await write(store, conversation("room", 3))
        for call in calls(store, 4):
            await call()


async def texts(database: MongoDatabase) -> str:
    """Return the stored form of all entries."""

    async def work(mongo: Any, session: Any) -> str:
        return repr(await mongo[ENTRIES].find({}, session=session).to_list())

    return await database.write(work)


async def test_text_with_failed_erasure_is_hidden_and_erased_by_next_poll(own: Mongod, store: MongoStore) -> None:
    await write(store, [message("doomed", 1, body="the secret")])
    await write(store, [_in_doomed(edited(2, 1, "the secret 2")), message("doomed", 3, body="stays")])
    with failing(own, "update", errorCode=50):
        assert (await store.append([_in_doomed(deleted(4, 1))])).written == 1
        assert "the secret" in await texts(store.database)
        answers = [
            await store.read_on("doomed", 0, 10, [("alice", "key-1"), ("alice", "key-2")]),
            await store.window("alice", "doomed", "oldest", 0, 10),
            await store.window("alice", "doomed", 1, 0, 0, messages_only=True),
            await store.catch_up("alice", {"doomed": 0}, 200, 10_000),
            (await store.append([message("doomed", 5, key="key-1")])).taken,
            await store.views("doomed", ["bob"]),
        ]
        assert "the secret" not in repr(answers)
        assert "stays" in repr(answers)
        assert (await store.views("doomed", ["bob"]))["bob"].unread == 1
    await store.changes(None, 1)
    assert "the secret" not in await texts(store.database)
    (first,) = (await store.read_on("doomed", 0, 1)).entries
    assert isinstance(first.event, Message)
    assert first.event.deleted


def _in_doomed(entry: Entry) -> Entry:
    return Entry(
        room="doomed",
        seq=entry.seq,
        author=entry.author,
        at=entry.at,
        key=entry.key,
        digest=entry.digest,
        event=entry.event,
    )


async def test_cancelled_call_without_server_leaves_store_that_heals(own: Mongod, store: MongoStore) -> None:
    own.kill()
    for seconds in (0, 0.001, 0.03, 0.1):
        with anyio.move_on_after(seconds):
            await at_once([partial(until_available, call) for call in [*calls(store, 4)] * 3])
    await asyncio.to_thread(own.start)
    await healed(store)


async def test_closed_store_is_unavailable(own: Mongod) -> None:
    async with MongoStore(f"{own.url}faults") as store:
        pass
    for call in calls(store, 1):
        with pytest.raises(Unavailable):
            await call()


async def test_store_used_while_closed_works_after_reentering(own: Mongod) -> None:
    empty(f"{own.url}faults")
    store = MongoStore(f"{own.url}faults")
    async with store:
        await write(store, [message("room")])
    for _ in range(COMMANDS_MAX):
        with pytest.raises(Unavailable):
            await store.append([message("room", 2)])
    async with store:
        await write(store, [message("room", 2)])


async def test_standalone_server_is_enough() -> None:
    with a_mongod(replica_set=None) as server:
        async with MongoStore(server.url) as store:
            await write(store, [*conversation("room", 3), edited(4, 1)])
            assert len(await everything(store, "room")) == 4
            assert (await store.append([message("room", 5, key="key-1")])).taken == conversation("room", 3)[0]
            (present,) = (await store.window("alice", "room", 1, 0, 0)).entries
            assert isinstance(present.event, Message)
            assert present.event.version == 2
            assert {change.seq for change in (await store.changes(0, 10)).changes} >= {1, 4}
            await MongoAccounts(store.database).create("bob", "$hash$", None)
            assert await MongoAccounts(store.database).password_hash("bob") == "$hash$"
