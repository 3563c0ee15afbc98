"""The README's examples of chat in a host's web application."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.http_hosts import aiohttp_listening, uvicorn_listening
from tests.readme import example

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def statuses(serving: AbstractAsyncContextManager[str]) -> tuple[int, int]:
    """Return the status with the cookie of the example's session, and without it."""
    async with serving as url, ClientSession() as client:
        rooms = f"{url}/chat/api/v1/rooms"
        async with (
            client.get(rooms, headers={"Cookie": "session=a-random-secret"}) as known,
            client.get(rooms) as not_known,
        ):
            return known.status, not_known.status


async def test_readme_examples_of_hosts_serve_users_with_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for containing, listening in (("mount(app", aiohttp_listening), ("ChatApp(chat", uvicorn_listening)):
        program: dict[str, Any] = {}
        for part in ("async def authenticate", containing):
            exec(compile(example("python", part), "README.md", "exec"), program)
        assert await statuses(listening(program["app"])) == (200, 401)
