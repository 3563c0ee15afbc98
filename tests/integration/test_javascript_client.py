"""The JavaScript client over real servers: restarts, kills, refusals, and several processes of one user."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.integration.cheap_accounts import make_accounts
from tests.integration.cutting_proxy import Fault, cutting_proxy, faults_of
from tests.integration.javascript import NODE, install_package
from tests.integration.javascript_client import PACKAGE, Chatter, chatter, install_client
from tests.integration.serve_client import PASSWORD, User, sign_in
from tests.integration.serving import Server, serving
from tests.integration.terminals import Program
from tests.readme import example

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

USERS = [f"user{number}" for number in range(40)]
NAMES = iter(USERS)
ROOM = "pvt-{}-{}"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder(node_modules: Path) -> Path:
    return install_client(node_modules)


@pytest.fixture(scope="module")
async def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a server, with accounts."""
    made = tmp_path_factory.mktemp("accounts")
    await make_accounts(made, USERS)
    return made


@pytest.fixture(scope="module")
async def server(accounts: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server that no test stops."""
    data = shutil.copytree(accounts, tmp_path_factory.mktemp("shared"), dirs_exist_ok=True)
    async with serving(data, "--limits", "off") as running:
        yield running


class People:
    """Starts clients, and keeps them until the end of the test."""

    def __init__(self, folder: Path, exits: AsyncExitStack) -> None:
        self._folder = folder
        self._exits = exits

    async def start(self, user: str, url: str, file: Path | None = None) -> Chatter:
        """Start a client of a user. ``file`` is the store that it shares with other processes."""
        process = chatter(self._folder, url=url, user=user, password=PASSWORD, file=file)
        client = await self._exits.enter_async_context(process)
        await client.until(lambda client: client.state == "online")
        return client

    async def pair(self, url: str) -> tuple[tuple[str, Chatter], tuple[str, Chatter]]:
        """Two users, each with the room of both open."""
        alice, bob = next(NAMES), next(NAMES)
        clients = [await self.start(user, url) for user in (alice, bob)]
        for client, peer in zip(clients, (bob, alice), strict=True):
            await client.do("open", peer=peer)
        return (alice, clients[0]), (bob, clients[1])


@pytest.fixture
async def people(folder: Path) -> AsyncGenerator[People]:
    async with AsyncExitStack() as exits:
        yield People(folder, exits)


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def log_of(http: aiohttp.ClientSession, server: Server, user: str, peer: str) -> list[str]:
    """Return the bodies of the messages in the private room of two users, as the store has them."""
    reader: User = await sign_in(http, server.url, user)
    return [entry["body"] for entry in await reader.entries(peer) if entry["kind"] == "message"]


def bodies(name: str, count: int) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


async def test_first_message_opens_room_and_changes_reach_peer(server: Server, people: People) -> None:
    (alice, first), (bob, second) = await people.pair(server.url)
    assert await first.do("send", None, "hi", {"data": {"mood": "good"}}, peer=bob) == 1
    await second.until(lambda client: client.sent == ["hi"])
    assert second.messages[0]["data"] == {"mood": "good"}
    assert (await second.do("react", None, 1, "👍", True, peer=alice))["seq"] == 2
    await first.until(lambda client: client.messages[0].get("reactions") == {"👍": {"count": 1, "users": [bob]}})
    await first.do("edit", None, 1, "hello", peer=bob)
    await second.until(lambda client: client.sent == ["hello"])
    assert second.messages[0]["reactions"]["👍"]["count"] == 1
    second.begin("mark", None, 1, peer=alice)
    await first.until(lambda client: client.shown["info"]["markers"][bob]["read"] == 1)
    second.begin("typing", None, True, peer=alice)
    await first.until(lambda client: client.shown["typists"] == [bob])
    await second.do("send", None, "hi alice", peer=alice)
    await first.until(lambda client: client.sent == ["hello", "hi alice"] and client.shown["typists"] == [])
    await first.do("delete", None, 1, peer=bob)
    await second.until(lambda client: client.messages[0].get("deleted"))
    assert "body" not in second.messages[0]
    assert "reactions" not in second.messages[0]
    assert await first.do("call", None, "presence", {"users": [bob]}) == {"presence": {bob: {"state": "online"}}}
    await second.do("call", None, "presence.set", {"state": "away"})
    await first.until(lambda client: client.shown["presence"][bob]["state"] == "away")


async def test_messages_written_during_restart_arrive_once_in_order(
    accounts: Path, people: People, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    data = shutil.copytree(accounts, tmp_path / "data")
    async with serving(data, "--limits", "off") as running:
        (alice, first), (bob, second) = await people.pair(running.url)
        await first.do("send", None, "before", peer=bob)
        port = running.port
        await running.kill()
    for client in (first, second):
        await client.until(lambda client: client.state == "offline")
    for body in bodies("first", 20):
        first.begin("send", None, body, peer=bob)
    for body in bodies("second", 20):
        second.begin("send", None, body, peer=alice)
    await first.until(lambda client: sum(message["state"] == "sending" for message in client.messages) == 20)
    async with serving(data, "--limits", "off", port=port) as running:
        for client in (first, second):
            await client.until(lambda client: len(client.sent) == 41)
        assert first.sent == second.sent == await log_of(http, running, alice, bob)
    for name in ("first", "second"):
        assert [body for body in first.sent if body.startswith(name)] == bodies(name, 20)


async def test_outbox_of_killed_processes_is_sent_once_by_the_next(
    accounts: Path, people: People, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    data = shutil.copytree(accounts, tmp_path / "data")
    alice, bob = next(NAMES), next(NAMES)
    store = tmp_path / "outbox"
    async with serving(data, "--limits", "off") as running:
        tabs = [await people.start(alice, running.url, file=store) for _ in range(2)]
        port = running.port
        await running.kill()
    for number, tab in enumerate(tabs):
        await tab.do("open", peer=bob)
        await tab.until(lambda tab: tab.state == "offline")
        for body in bodies(f"tab {number}", 10):
            tab.begin("send", None, body, peer=bob)
        await tab.until(lambda tab: len(tab.messages) == 10)
        await tab.kill()
    async with serving(data, "--limits", "off", port=port) as running:
        both = await asyncio.gather(*(people.start(alice, running.url, file=store) for _ in range(2)))
        for tab in both:
            await tab.do("open", peer=bob)
            await tab.until(lambda tab: len(tab.sent) == 20)
        log = await log_of(http, running, alice, bob)
        assert log == both[0].sent == both[1].sent == bodies("tab 0", 10) + bodies("tab 1", 10)
        third = await people.start(alice, running.url, file=store)
        await third.do("open", peer=bob)
        await third.until(lambda tab: tab.sent == log)
        assert [message["state"] for message in third.messages] == ["sent"] * 20


async def test_tokens_that_end_lose_nothing_and_closed_socket_ends_client(
    accounts: Path, people: People, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    data = shutil.copytree(accounts, tmp_path / "data")
    async with serving(data, "--limits", "off", "--access-token-s", "2") as running:
        (alice, first), (_, second) = await people.pair(running.url)
        for number in range(6):
            await asyncio.sleep(1)  # tokens end by the clock
            await second.do("send", None, f"{number}", peer=alice)
        await first.until(lambda client: client.sent == [str(number) for number in range(6)])
        device = await sign_in(http, running.url, alice)
        async with http.get(f"{device.api}/sockets", headers=device.bearer) as answer:
            sockets = (await answer.json())["sockets"]
        for socket in sockets:
            async with http.delete(f"{device.api}/sockets/{socket['id']}", headers=device.bearer) as answer:
                assert answer.status == 204
        await first.until(lambda client: client.state == "ended")
        assert first.shown["status"]["error"]["code"] == "kicked"


async def test_wrong_password_ends_client(server: Server, folder: Path) -> None:
    async with chatter(folder, url=server.url, user=next(NAMES), password="wrong password") as client:
        await client.until(lambda client: client.state == "ended")
        assert client.shown["status"]["error"]["code"] == "unauthenticated"


async def test_unknown_user_is_signed_up(server: Server, folder: Path) -> None:
    async with chatter(folder, url=server.url, user="newcomer", password=PASSWORD, signUp=True) as client:
        await client.until(lambda client: client.state == "online")
        assert client.shown["status"]["user"] == "newcomer"


async def test_readme_program_chats_across_restart(accounts: Path, tmp_path: Path) -> None:
    install_package(tmp_path, str(PACKAGE))
    program = tmp_path / "chat.mjs"
    program.write_text(example("js", "chatcore-client"), encoding="utf-8")
    run = Program([NODE, str(program)]).run
    alice, bob = "readme1", "readme2"
    data = shutil.copytree(accounts, tmp_path / "data")
    async with (
        serving(data) as running,
        run(alice, bob, running.url) as first,
        run(bob, alice, running.url) as second,
    ):
        for terminal in (first, second):
            await terminal.is_online()
        await first.types("hello")
        await second.shows(f"1 {alice}: hello")
        port = running.port
        await running.kill()
        await first.shows(f"{alice} is offline")
        await second.types("are you there?", "I wait")
        async with serving(data, port=port):
            for terminal in (first, second):
                await terminal.shows(f"1 {alice}: hello", f"2 {bob}: are you there?", f"3 {bob}: I wait")
                assert [line[0] for line in terminal.messages] == ["1", "2", "3"]
            await first.types("x" * 20_000)
            await first.until(lambda shown: any(line.startswith("not sent: body") for line in shown))


async def test_refused_messages_fail_and_others_are_sent(server: Server, people: People) -> None:
    (alice, first), (bob, second) = await people.pair(server.url)
    await first.do("send", None, "hi", peer=bob)
    await second.do("call", None, "block", {"user": alice})
    assert (await first.do("send", None, "blocked", peer=bob))["error"]["code"] == "forbidden"
    assert (await first.do("send", None, "x" * 20_000, peer=bob))["error"]["code"] == "invalid"
    too_large = first.begin("send", None, "large", {"data": {"text": "x" * 1_100_000}}, peer=bob)
    states = ["sent", "failed", "failed", "failed"]
    await first.until(lambda client: [message["state"] for message in client.messages] == states)
    assert first.answers[too_large]["error"]["code"] == "too_large"
    await first.until(lambda client: client.state == "online")
    await second.do("call", None, "unblock", {"user": alice})
    await first.do("send", None, "later", peer=bob)
    first.begin("retry", None, "blocked", peer=bob)
    for body in ("x" * 20_000, "large"):
        await first.do("discard", None, body, peer=bob)
    await first.until(lambda client: client.sent == ["hi", "later", "blocked"] and len(client.messages) == 3)


async def test_missed_messages_beyond_gap_are_paged_down_to_what_was_opened(
    server: Server, people: People, http: aiohttp.ClientSession
) -> None:
    alice, bob = next(NAMES), next(NAMES)
    writer = await sign_in(http, server.url, bob)
    for number in range(120):
        await writer.send(alice, f"{number}", f"{number}")
    first = await people.start(alice, server.url)
    await first.do("open", peer=bob)
    await first.until(lambda client: len(client.sent) == 50)
    assert await first.do("more", None, 20, peer=bob) is True
    assert first.sent == [str(number) for number in range(50, 120)]
    first.process.send_signal(19)
    for number in range(120, 700):
        await writer.send(alice, f"{number}", f"{number}")
    async with http.get(f"{writer.api}/rooms", headers=writer.bearer) as answer:
        assert answer.status == 200
    first.process.send_signal(18)
    await first.until(lambda client: client.sent == [str(number) for number in range(50, 700)])
    assert await first.do("more", None, {"until": 1}, peer=bob) is False
    assert first.sent == [str(number) for number in range(700)]


async def test_connections_that_are_cut_lose_double_and_reorder_nothing(
    server: Server, folder: Path, http: aiohttp.ClientSession
) -> None:
    alice, bob = next(NAMES), next(NAMES)
    faults: Iterator[Fault] = (fault for fault in faults_of("javascript client", 30) if fault.kind in ("rst", "fin"))
    async with (
        cutting_proxy(server.port, itertools.islice(faults, 5)) as proxy,
        chatter(folder, url=proxy.url, user=alice, password=PASSWORD) as first,
        chatter(folder, url=proxy.url, user=bob, password=PASSWORD) as second,
    ):
        for client, peer in ((first, bob), (second, alice)):
            await client.do("open", peer=peer)
            for body in bodies(peer, 40):
                client.begin("send", None, body, peer=peer)
        for client in (first, second):
            await client.until(lambda client: len(client.sent) == 80)
        assert first.sent == second.sent == await log_of(http, server, alice, bob)
        for peer in (alice, bob):
            assert [body for body in first.sent if body.startswith(f"{peer} ")] == bodies(peer, 40)
