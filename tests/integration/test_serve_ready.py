"""The health checks of a supervisor."""

import asyncio
import resource
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore.errors import Unavailable
from chatcore_http import Hosts, Origins
from chatcore_memory import MemoryAccounts, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_server.app import build
from chatcore_server.bootstrap import Components
from tests.integration.serve_client import signed_in
from tests.integration.serving import TIMEOUT_S, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FallibleStore(MemoryStore):
    """A memory store that is unreachable while ``fault`` is set."""

    fault: Exception | None = None

    async def probe(self) -> None:
        if self.fault:
            raise self.fault


@pytest.mark.parametrize(
    ("fault", "status", "code"), [(Unavailable(), 503, "unavailable"), (ZeroDivisionError(), 500, "internal")]
)
async def test_server_with_failing_store_is_alive_but_not_ready_until_healed(
    fault: Exception, status: int, code: str
) -> None:
    store = FallibleStore()
    tokens = JwtTokens(b"a secret of the tests, of 32 bytes or more")
    accounts = Accounts(MemoryAccounts(), Argon2Hasher(), tokens, canonical_username)
    chat = Chat(store)
    runner = web.AppRunner(build(Components(chat, accounts), Origins(), Hosts(), sending_s=10))
    async with chat, ClientSession() as client:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()

        async def ask(path: str) -> tuple[int, str | None]:
            async with client.get(f"http://127.0.0.1:{site.port}{path}") as answer:
                return answer.status, (await answer.json(content_type=None)).get("code")

        assert await ask("/readyz") == (200, None)
        store.fault = fault
        assert await ask("/readyz") == (status, code)
        assert await ask("/healthz") == (200, None)
        store.fault = None
        assert await ask("/readyz") == (200, None)
        await runner.cleanup()


@contextmanager
def files_limited(process: int, size: int) -> Generator[None]:
    """Limit all files of the process to ``size`` bytes in the block, as on a full disk."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))


async def test_server_without_space_for_message_is_not_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, signed_in(server, "alice") as alice:

        async def statuses(key: str) -> tuple[int, int]:
            """Return the statuses of a message and of the readiness check."""
            url = f"{alice.api}/users/alice/messages"
            message = {"key": key, "body": "x"}
            async with (
                alice.http.post(url, json=message, headers=alice.bearer) as sent,
                alice.http.get(f"{server.url}/readyz") as ready,
            ):
                return sent.status, ready.status

        assert await statuses("first") == (201, 200)
        log = tmp_path / "chatcore-data" / "chatcore.sqlite3-wal"
        with files_limited(server.process.pid, log.stat().st_size + 20_000):  # four pages, less than a message needs
            assert await statuses("second") == (503, 503)
            assert await statuses("second") == (503, 503)
        assert await statuses("second") == (201, 200)


async def test_server_with_locked_database_reports_reason_until_unlocked(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, ClientSession(server.url) as client:

        async def status() -> int:
            async with client.get("/readyz") as answer:
                return answer.status

        assert await status() == 200
        with closing(sqlite3.connect(tmp_path / "chatcore-data" / "chatcore.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await status() == 503
            await server.until(lambda server: "can't be written to: database is locked" in server.log)
        async with asyncio.timeout(TIMEOUT_S):
            while "can be written to again" not in server.log:
                assert await status() == 200
        assert server.log.count("can be written to again after ") == 1
