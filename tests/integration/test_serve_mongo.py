"""The server on MongoDB: its messages, its refusals, and its behaviour while the database is away."""

import asyncio
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pymongo import MongoClient

from chatcore_mongo import migrations
from chatcore_sqlite import schema

from .mongo_database import a_database
from .mongod import Mongod, a_mongod, free_port
from .serving import TIMEOUT_S, Server, launch, serving

pytestmark = pytest.mark.anyio

SECRET = "a secret of the tests, of 32 bytes or more"
HEALED_S = 5


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def url(mongod: str) -> Generator[str]:
    """The URL of a database that no store has opened yet."""
    with a_database(mongod) as url:
        yield url


def settings_for(url: str) -> Mapping[str, str]:
    return {"CHATCORE_STORE": url, "CHATCORE_SECRET": SECRET}


async def run(folder: Path, *arguments: str, environment: Mapping[str, str]) -> Server:
    """Run a command that ends by itself."""
    command = await launch(folder, *arguments, environment=environment)
    try:
        await command.ended()
    finally:
        await command.kill()
    return command


async def refusal(folder: Path, *arguments: str, environment: Mapping[str, str]) -> str:
    """Return the only line that the command prints before it ends."""
    command = await run(folder, *arguments, environment=environment)
    assert command.process.returncode == 2, command.log
    assert not command.printed
    assert len(command.logged) == 1, command.log
    return command.logged[0].removeprefix("chatcore: ")


async def test_shared_store_requires_configured_secret(url: str, tmp_path: Path) -> None:
    line = await refusal(tmp_path, "serve", "--port", "0", environment={"CHATCORE_STORE": url})
    assert line.startswith("CHATCORE_SECRET must be set")
    assert not (tmp_path / "chatcore-data").exists()


async def test_unreachable_address_ends_server_without_showing_password(tmp_path: Path) -> None:
    url = f"mongodb://bob:geheim@127.0.0.1:{free_port()}/chat"
    # In a third of the runs, the driver leaves a socket open.
    leaks = {"PYTHONWARNINGS": "error,ignore::ResourceWarning"}
    line = await refusal(tmp_path, "serve", "--port", "0", environment={**settings_for(url), **leaks})
    assert line.startswith("--store (CHATCORE_STORE): MongoDB at 127.0.0.1:")
    assert "geheim" not in line


async def test_malformed_address_ends_server_without_showing_password(tmp_path: Path) -> None:
    line = await refusal(tmp_path, "serve", "--port", "0", environment=settings_for("mongodb://a/b?w=geheim&x"))
    assert "geheim" not in line


async def test_database_of_newer_version_ends_server(url: str, tmp_path: Path) -> None:
    with MongoClient[Any](url) as client:
        client.get_default_database()["meta"].insert_one({"_id": "store", "version": 9_999, "epoch": "e"})
    for command in (("serve", "--port", "0"), ("migrate",), ("migrate", "--dry-run")):
        assert "written by a newer chatcore" in await refusal(tmp_path, *command, environment=settings_for(url))


async def test_start_message_names_database_without_password(tmp_path: Path, url: str) -> None:
    async with serving(tmp_path, environment=settings_for(url)) as server:
        assert f"in MongoDB at {url.split('/')[2]}" in "\n".join(server.printed)
    assert not (tmp_path / "chatcore-data").exists()


async def test_migration_is_announced_then_done_then_not_needed(url: str, tmp_path: Path) -> None:
    announced = await run(tmp_path, "migrate", "--dry-run", environment=settings_for(url))
    with MongoClient[Any](url) as client:
        assert client.get_default_database().list_collection_names() == []
    made = await run(tmp_path, "migrate", environment=settings_for(url))
    again = [await run(tmp_path, "migrate", *flags, environment=settings_for(url)) for flags in ((), ("--dry-run",))]
    assert [outcome.process.returncode for outcome in (announced, made, *again)] == [0] * 4
    assert announced.printed[0] == f"1/{len(migrations.MIGRATIONS)} give the store its epoch"
    assert len(announced.printed) == len(migrations.MIGRATIONS)
    assert f"{len(migrations.MIGRATIONS)}/{len(migrations.MIGRATIONS)} done" in made.printed[-1]
    assert all(
        outcome.printed == ["There is nothing to do: the database is as this version wants it."] for outcome in again
    )


async def test_sqlite_folder_is_migrated_by_same_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHATCORE_PORT=nonsense that only a server reads\n")
    announced = await run(tmp_path, "migrate", "--dry-run", environment={})
    assert not (tmp_path / "chatcore-data").exists()
    made = await run(tmp_path, "migrate", environment={})
    again = await run(tmp_path, "migrate", "--dry-run", environment={})
    count = len(schema.MIGRATIONS)
    assert [line.split()[0] for line in announced.printed] == [f"{number}/{count}" for number in range(1, count + 1)]
    assert f"{count}/{count} done" in made.printed[-1]
    assert again.printed == ["There is nothing to do: the database is as this version wants it."]


async def ready(client: ClientSession) -> int:
    async with client.get("/readyz") as answer:
        return answer.status


async def until_ready(client: ClientSession) -> None:
    while await ready(client) != 200:  # a refusal takes up to 2 s
        pass


@pytest.fixture
def own() -> Generator[Mongod]:
    with a_mongod() as own:
        yield own


async def test_server_is_not_ready_while_database_is_away(own: Mongod, tmp_path: Path) -> None:
    async with serving(tmp_path, environment=settings_for(own.url)) as server, ClientSession(server.url) as client:
        assert await ready(client) == 200
        own.kill()
        async with asyncio.timeout(TIMEOUT_S):
            assert await ready(client) == 503
        await asyncio.to_thread(own.start)
        async with asyncio.timeout(3 * HEALED_S):
            await until_ready(client)
