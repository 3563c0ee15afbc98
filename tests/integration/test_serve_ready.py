"""What a supervisor asks."""

from collections.abc import Sequence

import pytest
from aiohttp import ClientSession, web

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore.errors import Unavailable
from chatcore.ports.room_log import Change, Position
from chatcore_aiohttp import Origins
from chatcore_memory import MemoryAccounts, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_server.app import build
from chatcore_server.bootstrap import Parts

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FallibleStore(MemoryStore):
    """It can't be reached as long as it has a fault."""

    fault: Exception | None = None

    async def changes(self, after: Position | None, limit: int) -> Sequence[Change]:
        if self.fault:
            raise self.fault
        return await super().changes(after, limit)


@pytest.mark.parametrize(
    ("fault", "status", "code"), [(Unavailable(), 503, "unavailable"), (ZeroDivisionError(), 500, "internal")]
)
async def test_a_server_whose_store_fails_is_alive_but_not_ready_until_it_heals(
    fault: Exception, status: int, code: str
) -> None:
    store = FallibleStore()
    tokens = JwtTokens(b"a secret of the tests, of 32 bytes or more")
    accounts = Accounts(MemoryAccounts(), Argon2Hasher(), tokens, canonical_username)
    chat = Chat(store)
    runner = web.AppRunner(build(Parts(chat, accounts), Origins(), sending=10))
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
