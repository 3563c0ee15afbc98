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

    async def shows(self, *lines: str) -> None:
        """The next lines that it prints are these, in some order."""
        assert self._process.stdout
        shown = [await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S) for _ in lines]
        assert sorted(line.decode().rstrip("\n") for line in shown) == sorted(lines)

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


@pytest.mark.parametrize("write", [javascript, python])
async def test_what_is_said_while_the_server_or_the_other_one_is_away_comes_once(
    tmp_path: Path, node_modules: Path, write: Write
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    async with serving(tmp_path) as server:
        command = write(tmp_path, server.url)
        async with terminal(*command, "bob", "alice") as bob:
            await bob.shows("bob is online")
            await bob.ends()
        async with terminal(*command, "alice", "bob") as alice:
            await alice.shows("alice is online")
            await alice.types("hello")
            await alice.shows("1 alice: hello")
            await server.stop()
            await alice.types("are you there?")
            async with serving(tmp_path, port=server.port):
                await alice.shows("alice is online", "2 alice: are you there?")
                async with terminal(*command, "bob", "alice") as bob:
                    await bob.shows("1 alice: hello", "2 alice: are you there?", "bob is online")
                    await bob.types("now I am")
                    for person in (bob, alice):
                        await person.shows("3 bob: now I am")
                    await bob.ends()
                await alice.ends()


@pytest.mark.parametrize("write", [javascript, python])
async def test_a_chat_goes_on_when_its_token_has_ended(tmp_path: Path, node_modules: Path, write: Write) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    async with serving(tmp_path, "--access-token-s", "3") as server:
        command = write(tmp_path, server.url)
        async with terminal(*command, "alice", "alice") as alice:
            await alice.shows("alice is online")
            await alice.types("a note")
            await alice.shows("1 alice: a note")
            await alice.shows("alice is online")
            await alice.types("another")
            await alice.shows("2 alice: another")
            await alice.ends()
