"""100 chat programs at once across a crash of the server, JavaScript and Python in pairs."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, field

from tests.integration.cheap_accounts import DATA, make_accounts, make_sign_ins_slow
from tests.integration.javascript import HERE, NODE
from tests.integration.serving import serving
from tests.integration.sign_in_proxy import SignInProxy, sign_in_proxy
from tests.integration.terminals import EXAMPLES, javascript_program

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

USERS = 100
WITHIN_S = 150
"""Seconds. 100 clients reconnect within seconds, but their 100 password hashes take long on a busy machine."""
ACCESS_TOKEN_S = 5


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def commands(node_modules: Path) -> Sequence[Sequence[str]]:
    """Return the commands for the users with even and with odd numbers."""
    javascript_program(node_modules)  # imported by crowd.mjs
    crowd = shutil.copy(HERE / "crowd.mjs", node_modules.parent / "crowd.mjs")
    # -P: a folder beside the program is named like the client's package
    python = [sys.executable, "-P", str(Path(__file__).with_name("python_crowd.py")), str(EXAMPLES)]
    return [NODE, str(crowd)], python


@define(eq=False)
class Crowd:
    """The programs of all users, and the lines that each has shown."""

    processes: Sequence[asyncio.subprocess.Process]
    shown: dict[str, list[str]] = field(factory=lambda: {f"u{number}": [] for number in range(USERS)})
    _changed: asyncio.Event = field(factory=asyncio.Event)

    async def read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            user, shown = json.loads(line)
            self.shown[user].append(shown)
            self._changed.set()

    async def type(self, body: str) -> None:
        """Type a line as each user."""
        for number, user in enumerate(self.shown):
            stdin = self.processes[number % 2].stdin
            assert stdin
            stdin.write(json.dumps([user, f"{body} of {user}"]).encode() + b"\n")

    async def until_all(
        self, condition: Callable[[Sequence[str]], object], after: Mapping[str, int] | None = None
    ) -> None:
        """Wait until the lines of each user, without the first ``after`` lines, meet ``condition``."""

        def missing() -> Sequence[str]:
            start = after or {}
            return [user for user, lines in self.shown.items() if not condition(lines[start.get(user, 0) :])]

        try:
            async with asyncio.timeout(WITHIN_S):
                while missing():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"these are missing: {[(user, self.shown[user]) for user in missing()]}") from None

    def check(self, *typed: str) -> None:
        """Assert that both users of each pair see the same lines: each message once, in the order of its author."""
        for number in range(0, USERS, 2):
            pair = f"u{number}", f"u{number + 1}"
            shown, other = (messages(self.shown[user]) for user in pair)
            assert shown == other
            assert [line.partition(" ")[0] for line in shown] == [str(seq + 1) for seq in range(2 * len(typed))]
            texts = [line.partition(" ")[2] for line in shown]
            for user in pair:
                assert [text for text in texts if text.startswith(f"{user}:")] == [
                    f"{user}: {body} of {user}" for body in typed
                ]


@asynccontextmanager
async def crowd(commands: Sequence[Sequence[str]], url: str) -> AsyncGenerator[Crowd]:
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(*command, url, str(first), str(USERS), stdin=pipe, stdout=pipe)
        for first, command in enumerate(commands)
    ]
    running = Crowd(processes)
    reading = asyncio.gather(*map(running.read, processes))
    try:
        yield running
    finally:
        for process in processes:
            process.kill()
            await process.wait()
        await reading


def is_online(lines: Sequence[str]) -> bool:
    return [line for line in lines if line.endswith((" is online", " is offline"))][-1].endswith(" is online")


def was_online(lines: Sequence[str]) -> bool:
    return any(line.endswith(" is online") for line in lines)


def messages(lines: Sequence[str]) -> Sequence[str]:
    return [line for line in lines if line.partition(" ")[0].isdigit()]


def has_messages(count: int) -> Callable[[Sequence[str]], bool]:
    return lambda lines: len(messages(lines)) >= count


async def crash(
    folder: Path, commands: Sequence[Sequence[str]], while_away: Callable[[], Awaitable[None]], *flags: str
) -> SignInProxy:
    """Let the crowd reconnect after a crash without a loss. Returns its HTTP requests since the crash."""
    async with serving(folder, "--limits", "off", *flags) as server, sign_in_proxy(server.port) as proxy:
        async with crowd(commands, proxy.url) as users:
            await users.until_all(was_online)
            await users.type("before")
            await users.until_all(has_messages(2))
            await (
                proxy.until_answered()
            )  # a refresh token with a lost answer stays valid for 10 s, which is less than an outage
            await server.kill()
            await users.type("meanwhile")
            await users.until_all(lambda lines: not is_online(lines))
            shown = {user: len(lines) for user, lines in users.shown.items()}
            proxy.forget()
            await while_away()
            async with serving(folder, "--limits", "off", *flags, port=server.port):
                await users.until_all(has_messages(4))
                await users.until_all(was_online, after=shown)
            users.check("before", "meanwhile")
        return proxy


@pytest.fixture
async def accounts(tmp_path: Path) -> Path:
    """A data folder with an account for each user."""
    await make_accounts(tmp_path, [f"u{number}" for number in range(USERS)])
    return tmp_path


async def test_100_clients_that_must_refresh_reconnect_and_lose_nothing(
    accounts: Path, commands: Sequence[Sequence[str]]
) -> None:
    async def until_tokens_expire() -> None:
        await asyncio.sleep(ACCESS_TOKEN_S)

    asked = (await crash(accounts, commands, until_tokens_expire, "--access-token-s", str(ACCESS_TOKEN_S))).asked
    assert asked["/api/v1/sessions/refresh"] >= USERS
    assert asked["/api/v1/sessions"] == 0


async def test_100_clients_that_must_sign_in_obey_retry_after_and_lose_nothing(
    accounts: Path, commands: Sequence[Sequence[str]]
) -> None:
    async def end_all_sessions() -> None:
        (accounts / DATA / "secret").unlink()  # the server creates another secret, so no token is valid any more
        await make_sign_ins_slow(accounts)

    proxy = await crash(accounts, commands, end_all_sessions)
    assert proxy.asked["/api/v1/sessions"] >= USERS + proxy.refused
    assert proxy.refused
    assert proxy.early == []
