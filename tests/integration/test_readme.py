"""The README's chats, as they are printed, between two processes and over a restart of the server."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.integration.clients import PATIENCE_S
from tests.integration.javascript import NODE
from tests.integration.serving import serving
from tests.readme import example

pytestmark = pytest.mark.anyio

Write: TypeAlias = Callable[[Path, str], list[str]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Terminal:
    """A program with somebody at its keyboard."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def types(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def shows(self, line: str) -> None:
        """The next line that it prints is this one."""
        assert self._process.stdout
        shown = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        assert shown.decode().rstrip("\n") == line

    async def ends(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert await asyncio.wait_for(self._process.wait(), PATIENCE_S) == 0


@asynccontextmanager
async def terminal(*command: str) -> AsyncGenerator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def javascript(folder: Path, url: str) -> list[str]:
    program = folder / "chat.mjs"
    program.write_text(at(example("js", "chat.mjs"), url), encoding="utf-8")
    return [NODE, str(program)]


def python(folder: Path, url: str) -> list[str]:
    program = folder / "chat.py"
    program.write_text(at(example("python", "# chat.py"), url), encoding="utf-8")
    return [sys.executable, str(program)]


def at(program: str, url: str) -> str:
    """The program, with the address of this test's server in place of the README's."""
    assert program.count("http://localhost:3001") == 1
    return program.replace("http://localhost:3001", url)


@pytest.mark.parametrize("write", [javascript, python])
async def test_two_people_chat_as_the_readme_says(tmp_path: Path, node_modules: Path, write: Write) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    async with serving(tmp_path) as server:
        command = write(tmp_path, server.url)
        async with terminal(*command, "alice", "bob") as alice, terminal(*command, "bob", "alice") as bob:
            await alice.shows("alice is online")
            await bob.shows("bob is online")
            await alice.types("hello, bob")
            for person in (alice, bob):
                await person.shows("1 alice: hello, bob")
            await server.stop()
            async with serving(tmp_path, port=server.port):
                await alice.shows("alice is online")
                await bob.shows("bob is online")
                await bob.types("hello, alice")
                for person in (bob, alice):
                    await person.shows("2 bob: hello, alice")
                await alice.ends()
                await bob.ends()
