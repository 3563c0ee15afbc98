"""100 chat programs at once over a restart of the server."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from attrs import define, field

from tests.integration.javascript import HERE, NODE
from tests.integration.serve_client import PASSWORD
from tests.integration.serving import serving
from tests.integration.terminals import EXAMPLES, javascript_program

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1_000)]

USERS = 100
WITHIN_S = 300
"""100 clients come back within seconds; their 100 password hashes before take long on a busy machine."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data has an account for each user."""
    folder = tmp_path_factory.mktemp("accounts")
    async with serving(folder, "--limits", "off") as server, ClientSession() as http, asyncio.TaskGroup() as group:
        slots = asyncio.Semaphore(8)  # no more than the server hashes passwords of at once

        async def sign_up(user: str) -> None:
            account = {"user": user, "password": PASSWORD}
            async with slots, http.post(f"{server.url}/api/v1/accounts", json=account) as answer:
                assert answer.status == 201

        for number in range(USERS):
            group.create_task(sign_up(f"u{number}"))
    return folder


@pytest.fixture(params=["javascript", "python"])
def command(request: pytest.FixtureRequest, node_modules: Path) -> Sequence[str]:
    if request.param == "python":  # -P: a folder beside the program has the name of the client's package
        return [sys.executable, "-P", str(Path(__file__).with_name("python_crowd.py")), str(EXAMPLES)]
    javascript_program(node_modules)  # crowd.mjs imports it
    return [NODE, str(shutil.copy(HERE / "crowd.mjs", node_modules.parent / "crowd.mjs"))]


@define(eq=False)
class Crowd:
    """The programs of all users, and what each has shown."""

    process: asyncio.subprocess.Process
    shown: dict[str, list[str]] = field(factory=lambda: {f"u{number}": [] for number in range(USERS)})
    _changed: asyncio.Event = field(factory=asyncio.Event)

    async def read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            user, shown = json.loads(line)
            self.shown[user].append(shown)
            self._changed.set()

    async def type(self, body: str) -> None:
        """Each user types a line."""
        assert self.process.stdin
        for user in self.shown:
            self.process.stdin.write(json.dumps([user, f"{body} of {user}"]).encode() + b"\n")
        await self.process.stdin.drain()

    async def until_all(self, condition: Callable[[Sequence[str]], bool]) -> None:
        """Wait until what each user was shown meets ``condition``."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not all(condition(lines) for lines in self.shown.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            missing = {user: lines for user, lines in self.shown.items() if not condition(lines)}
            raise TimeoutError(f"{len(missing)} are missing: {missing}") from None


@asynccontextmanager
async def crowd(command: Sequence[str], url: str) -> AsyncGenerator[Crowd]:
    process = await asyncio.create_subprocess_exec(
        *command, url, str(USERS), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    found = Crowd(process)
    reading = asyncio.create_task(found.read())
    try:
        yield found
    finally:
        process.kill()
        await process.wait()
        await reading


def is_online(times: int) -> Callable[[Sequence[str]], bool]:
    return lambda lines: sum(line.endswith(" is online") for line in lines) >= times


def messages(lines: Sequence[str]) -> Sequence[str]:
    return [line for line in lines if line.partition(" ")[0].isdigit()]


async def test_100_clients_come_back_after_a_crash_and_lose_nothing(
    tmp_path: Path, accounts: Path, command: Sequence[str]
) -> None:
    folder = shutil.copytree(accounts, tmp_path / "served")
    async with serving(folder, "--limits", "off") as server, crowd(command, server.url) as users:
        await users.until_all(is_online(1))
        await users.type("before")
        await users.until_all(lambda lines: len(messages(lines)) >= 2)
        await server.kill()
        await users.type("meanwhile")
        async with serving(folder, "--limits", "off", port=server.port):
            await users.until_all(is_online(2))
            await users.until_all(lambda lines: len(messages(lines)) >= 4)
    for number in range(0, USERS, 2):
        one, other = messages(users.shown[f"u{number}"]), messages(users.shown[f"u{number + 1}"])
        assert one == other
        assert [line.partition(" ")[0] for line in one] == ["1", "2", "3", "4"]
        bodies = {f"{when} of u{author}" for when in ("before", "meanwhile") for author in (number, number + 1)}
        assert {line.partition(": ")[2] for line in one} == bodies
