"""A body whose encoding differs from its headers."""

from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.integration.serving import serving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_false_encoding_is_refused_without_traceback_or_dead_connection(tmp_path: Path, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with serving(tmp_path, "--store", "memory") as server:
        async with ClientSession(server.url) as http:
            for _ in range(3):  # three requests on one connection
                async with http.post("/api/v1/accounts", data=b"{}", headers=headers) as answer:
                    assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "invalid")
        await server.stop()
        assert "Traceback" not in server.log
        assert "error" not in server.log
