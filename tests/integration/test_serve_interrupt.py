"""Ctrl-C before the server listens ends it at once, with 130 and without a traceback."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration.serving import Server, launch

pytestmark = pytest.mark.anyio

IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Makes Python write a line to stderr for each imported module."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def interrupted(server: Server) -> None:
    assert await server.stop(signal.SIGINT) == 130
    for word in ("Traceback", "KeyboardInterrupt", "Exception ignored"):
        assert word not in server.log


@pytest.mark.parametrize(
    "module", ["asyncio", "attr", "orjson", "aiohttp", "cyclopts", "limits", "chatcore_server.app"]
)
async def test_interrupt_during_imports_ends_with_130(module: str, tmp_path: Path) -> None:
    server = await launch(tmp_path, "serve", "--port", "0", "--store", "memory", environment=IMPORTS)
    try:
        await server.until(lambda server: any(line.rpartition("|")[2].strip() == module for line in server.logged))
        await interrupted(server)
        assert not server.printed
    finally:
        await server.kill()


async def test_interrupt_while_store_opens_ends_with_130(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def ask(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()  # the connection is never answered
        await never.wait()
        writer.close()

    never = asyncio.Event()
    database = await asyncio.start_server(ask, "127.0.0.1", 0)
    store = f"mongodb://127.0.0.1:{database.sockets[0].getsockname()[1]}/chat"
    server = await launch(
        tmp_path, "serve", "--port", "0", environment={"CHATCORE_STORE": store, "CHATCORE_SECRET": "x" * 32}
    )
    try:
        await asked.wait()
        await interrupted(server)
        assert not server.printed
    finally:
        await server.kill()
        never.set()
        database.close()
