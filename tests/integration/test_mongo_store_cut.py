"""A connection that is cut before or after any command leaves every write complete or undone."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from attrs import define, field

from chatcore.accounts import Session
from chatcore.domain.entries import Entry
from chatcore.domain.state import Marker, MarkerUpdate
from chatcore.errors import StoreError, Unavailable
from chatcore.ports.registry import SocketInfo
from chatcore.testing.builders import NOON, joined, message, opened, opens
from chatcore.testing.histories import marks_of
from chatcore.testing.logs import write
from chatcore.testing.room_histories import check
from chatcore.testing.tasks import at_once
from chatcore_mongo import MongoAccounts, MongoRegistry, MongoStore, memberships

from .mongo_database import a_database, empty
from .mongo_line import Cut, Line, a_line
from .mongo_plans import Commands
from .newcomers import as_a_newcomer
from .sqlite_cut import BORN, MORE, THERE

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

WRITTEN = {"insert entries", "update entries", "update markers", "insert accounts", "update sockets"}
"""Some writes of the contract suites."""
LOG = [*THERE, *MORE]
DAY = timedelta(days=1)
AT_ONCE = 4
"""The number of databases in which writes are cut at the same time."""
SOCKET = SocketInfo(id="s", user="erin", device="phone", node="node", since=NOON)

Steps = Callable[[MongoStore, "Progress"], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def kept_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store rosters at once, so that these writes are cut too."""
    monkeypatch.setattr(memberships, "ROSTER_INTERVAL", 1)


@define
class Progress:
    """The acknowledgements before the cut."""

    entries: list[Entry] = field(factory=list)
    steps: int = 0

    async def append(self, store: MongoStore, *entries: Entry) -> None:
        assert (await store.append(entries)).written == len(entries)
        self.entries += entries


async def appends(store: MongoStore, progress: Progress) -> None:
    """Append entries of every kind, in batches and one by one, to an existing room and to an unborn room."""
    await progress.append(store, *MORE[:4])
    for entry in MORE[4:]:
        await progress.append(store, entry)
    await progress.append(store, *BORN)
    await store.state("room")
    await store.changes(0, 10)


async def run(line: Line, steps: Steps) -> Progress:
    progress = Progress()
    try:
        async with MongoStore(line.url) as store:
            await steps(store, progress)
    except (StoreError, Unavailable):
        assert line.is_cut
    return progress


@asynccontextmanager
async def cut_line(url: str, cut_at: int | None, cut: Cut) -> AsyncGenerator[Line]:
    server, _, name = url.rpartition("/")
    async with a_line(f"{server}/", name, cut_at, cut) as line:
        yield line


async def prepared(url: str) -> None:
    empty(url)
    async with MongoStore(url) as store:
        await write(store, THERE)


async def commands_of(url: str, steps: Steps) -> Sequence[str]:
    await prepared(url)
    async with cut_line(url, None, "before") as line:
        await run(line, steps)
    return line.commands


async def cut_at_each(server: str, commands: Sequence[str], cut_at: Callable[[str, int], Awaitable[None]]) -> None:
    """Cut at each of the commands, in several databases at the same time."""

    async def some(first: int) -> None:
        with a_database(server) as url:
            for number in range(first, len(commands) + 1, AT_ONCE):
                await cut_at(url, number)

    await at_once([partial(some, first) for first in range(1, AT_ONCE + 1)])


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_first_read_after_cut_sees_whole_write_or_nothing(mongod: str, mongo_url: str, cut: Cut) -> None:
    commands = await commands_of(mongo_url, appends)
    print(f"{len(commands)} cuts, each {cut} a command")

    async def cut_at(url: str, number: int) -> None:
        await prepared(url)
        async with cut_line(url, number, cut) as line:
            progress = await run(line, appends)
        assert line.is_cut
        async with MongoStore(url) as store:
            await check_all(store, progress)

    await cut_at_each(mongod, commands, cut_at)


async def check_all(store: MongoStore, progress: Progress) -> None:
    """Assert that acknowledged entries are stored, that each batch is complete or absent, and that appends go on."""
    heads = {room: (await store.state(room)).head for room in ("room", "born")}
    logs = [log[: heads[log[0].room]] for log in (LOG, BORN) if heads[log[0].room]]
    assert all(entry.seq <= heads[entry.room] for entry in progress.entries)
    assert heads["room"] in (len(THERE), *range(len(THERE) + 4, len(LOG) + 1)), "a batch came in parts"
    for user in ("erin", "mallory"):
        await as_a_newcomer(store, user, logs)
    for log in logs:
        await check(store, log, marks_of(log))
        await store.append([message(log[0].room, len(log) + 1, key="goes on")])


async def marks_and_accounts(store: MongoStore, progress: Progress) -> None:
    """Do all other writes, each of which may be repeated."""
    accounts, registry = MongoAccounts(store.database), MongoRegistry(store.database)
    await store.mark("bob", "room", MarkerUpdate(read=3, unread_from=2))
    await store.mark("bob", "room", MarkerUpdate(read=4))
    await store.block("bob", "mallory", 2)
    await store.block("bob", "carol", 2)
    await store.unblock("bob", "carol")
    await store.note_last_seen({"bob": NOON, "carol": NOON})
    assert await store.last_seen(["bob"]) == {"bob": NOON}
    await accounts.create("erin", "$hash$", "Erin")
    await accounts.open_session(Session(id="s1", user="erin", device="phone", generation=1), DAY)
    rotation = await accounts.rotate("s1", 1, DAY)
    assert rotation
    assert rotation.session.generation == 2
    await accounts.open_session(Session(id="s2", user="erin", device="phone", generation=1), DAY)
    await accounts.end_session("s2")
    assert await accounts.password_hash("erin") == "$hash$"
    assert await accounts.session("s1") == rotation.session
    await registry.add(SOCKET)
    await registry.renew("node", [SOCKET])
    await registry.remove(SOCKET)
    await registry.revoke([SOCKET], "kicked")
    progress.steps += 1


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_write_repeated_after_cut_gives_same_result(mongod: str, mongo_url: str, cut: Cut) -> None:
    commands = await commands_of(mongo_url, marks_and_accounts)
    print(f"{len(commands)} cuts, each {cut} a command")

    async def cut_at(url: str, number: int) -> None:
        await prepared(url)
        async with cut_line(url, number, cut) as line:
            await run(line, marks_and_accounts)
        async with MongoStore(url) as store:
            await marks_and_accounts(store, Progress())
            accounts, registry = MongoAccounts(store.database), MongoRegistry(store.database)
            assert await store.markers("room", ["bob"]) == {"bob": Marker(4, 4)}
            assert await store.blocks("bob") == ["mallory"]
            assert await store.last_seen(["bob"]) == {"bob": NOON}
            assert await accounts.password_hash("erin") == "$hash$"
            assert await accounts.session("s1") == Session(id="s1", user="erin", device="phone", generation=2)
            assert await registry.of_user("erin") == []
            assert (await registry.renew("node", [SOCKET])).to_close == {"s": "kicked"}

    await cut_at_each(mongod, commands, cut_at)


async def test_creation_of_database_after_cut_is_finished_by_next_opening(mongod: str) -> None:
    async def open_it(store: MongoStore, progress: Progress) -> None:
        progress.steps += 1

    with a_database(mongod) as url:
        commands = await commands_of_opening(url)
    print(f"{len(commands)} cuts of the first opening")
    for number in range(1, len(commands) + 1):
        with a_database(mongod) as url:
            async with cut_line(url, number, "after") as line:
                await run(line, open_it)
            async with MongoStore(url) as store:
                await write(store, [opened("room", opens=opens("alice", "bob")), joined("room", 2, "carol")])
                assert len(await store.memberships("carol")) == 1


async def commands_of_opening(url: str) -> Sequence[str]:
    async with cut_line(url, None, "before") as line, MongoStore(line.url):
        pass
    return line.commands


@pytest.mark.timeout(300)  # run alone, this test runs the contract suites
async def test_every_write_of_the_contract_suites_is_one_of_those_that_are_cut(
    mongo_url: str, mongod: str, contract_commands: Commands
) -> None:
    cut = {*await commands_of(mongo_url, appends), *await commands_of(mongo_url, marks_and_accounts)}
    with a_database(mongod) as url:
        cut |= {*await commands_of_opening(url)}
    print(f"{len(contract_commands.names)} kinds of commands in the contract suites, {len(cut)} are cut")
    assert WRITTEN <= contract_commands.names <= cut
