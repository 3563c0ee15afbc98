"""The data folder is removed under a running server."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from chatcore_sqlite.data_folder import LOST

from .serve_client import User, signed_in
from .serving import Server, serving

pytestmark = pytest.mark.anyio

NOTICED_S = 2.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def status(server: Server, path: str) -> int:
    async with ClientSession(server.url) as client, client.get(path) as answer:
        return answer.status


async def refusal(user: User, key: str) -> tuple[int, str]:
    """Send a message that is refused. Returns status and code."""
    url = f"{user.api}/users/{user.name}/messages"
    async with user.http.post(url, json={"key": key, "body": "x"}, headers=user.bearer) as answer:
        return answer.status, (await answer.json())["code"]


def losses(server: Server) -> list[str]:
    return [event["event"] for event in server.events if "was removed or replaced" in event["event"]]


def remove_lock(data: Path) -> None:
    """Remove the lock, so that another server can start on the same database."""
    (data / "lock").unlink()


@pytest.mark.parametrize(("lose", "named"), [(shutil.rmtree, ""), (remove_lock, "lock")], ids=["folder", "lock"])
async def test_server_with_lost_folder_refuses_and_leaves_next_server_alone(
    lose: Callable[[Path], object], named: str, tmp_path: Path
) -> None:
    data = tmp_path / "chatcore-data"
    async with serving(tmp_path) as first, signed_in(first, "alice") as alice:
        for number in range(3):
            await alice.send("alice", f"key {number}")
        lose(data)
        if not named:
            assert await refusal(alice, "after") == (503, "unavailable")
        async with asyncio.timeout(3 * NOTICED_S):
            await first.until(losses)
        assert await refusal(alice, "after") == (503, "unavailable")
        assert await status(first, "/readyz") == 503
        assert await status(first, "/healthz") == 200
        async with serving(tmp_path) as second, signed_in(second, "bob") as bob:
            await bob.send("bob", "before the first one stops")
            assert await refusal(alice, "after") == (503, "unavailable")
            assert await first.stop() == 0
            await bob.send("bob", "after the first one stopped")
            assert await status(second, "/readyz") == 200
            assert await second.stop() == 0
            assert not losses(second)
        async with serving(tmp_path) as third, signed_in(third, "bob") as bob, signed_in(third, "alice") as alice:
            assert len(await bob.entries("bob")) == 2
            if named:
                assert len(await alice.entries("alice")) == 3
    assert losses(first) == [LOST.format(data / named)]


async def test_idle_server_reports_removed_folder_within_2_s(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        shutil.rmtree(tmp_path / "chatcore-data")
        async with asyncio.timeout(3 * NOTICED_S):
            await server.until(losses)
        assert await status(server, "/readyz") == 503
        assert await server.stop() == 0
    assert not (tmp_path / "chatcore-data").exists()
