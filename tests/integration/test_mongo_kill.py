"""`kill -9` amid sends, of the server and then of MongoDB: acknowledged messages are stored once and in order."""

import asyncio
import signal
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest

from .cheap_accounts import make_mongo_accounts
from .clients import raw_clients
from .mongod import Mongod, a_mongod
from .serving import Server, serving
from .test_kill import SOCKETS, UNANSWERED_MIN, Writer, check, finish, kills, sign_in, write_until_killed

pytestmark = pytest.mark.anyio

SERVER_KILLS = 2
BACK_AT_ONCE = (False, True)
"""For each kill of the database: whether it returns before a command is refused."""
SECRET = "a secret of the tests, of 32 bytes or more"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def own() -> Generator[Mongod]:
    with a_mongod() as own:
        yield own


async def test_acknowledged_entries_survive_kills_of_server_and_database(own: Mongod, tmp_path: Path) -> None:
    writers = [Writer(f"user{number}", f"user{number ^ 1}") for number in range(SOCKETS)]
    settings: Mapping[str, str] = {"CHATCORE_STORE": own.url, "CHATCORE_SECRET": SECRET}
    await make_mongo_accounts(own.url, [writer.user for writer in writers])
    async with serving(tmp_path, environment=settings) as server:
        await sign_in(server, writers)
    for _ in kills(writers, SERVER_KILLS):
        async with serving(tmp_path, environment=settings) as server:
            assert await write_until_killed(server, writers) >= UNANSWERED_MIN
    async with serving(tmp_path, environment=settings) as server:
        unavailable = sum([await kill_the_database(server, own, writers, at_once=at_once) for at_once in BACK_AT_ONCE])
        await finish(server, writers)
        for writer in writers:
            await check(server, writer)
    duplicates = sum(writer.duplicates for writer in writers)
    written = sum(len(writer.acknowledged) for writer in writers)
    print(f"{written} messages, {duplicates} answers were duplicates, {unavailable} were unavailable")
    assert duplicates
    assert unavailable


async def kill_the_database(server: Server, own: Mongod, writers: Sequence[Writer], *, at_once: bool) -> int:
    """Kill the database amid sends, and restart it at once or after a refusal. Returns the number of refusals.

    The database is paused before, so that enough is unanswered however fast it was.
    """
    unavailable = 0
    async with raw_clients(f"{server.url}/socket.io/") as clients:
        opened = [await clients.connect(writer.token) for writer in writers]
        sent = await asyncio.gather(*map(Writer.send_on, writers, opened))
        own.signal(signal.SIGSTOP)
        own.kill()
        if not at_once:
            await opened[0].until(lambda client: not all(answer["ok"] for answer in client.answers.values()))
        await asyncio.to_thread(own.start)
        for writer, client, numbered in zip(writers, opened, sent, strict=True):
            refused = {number for number in numbered if not (await client.answered(number))["ok"]}
            assert all(client.answers[number]["error"]["code"] == "unavailable" for number in refused)
            writer.take(client, {number: key for number, key in numbered.items() if number not in refused})
            unavailable += len(refused)
    return unavailable
