"""The Python client over the bundled server: nothing is lost, doubled or out of order, whatever ends."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from chatcore import Chat, SendMessage
from chatcore_client import (
    Accounts,
    Client,
    ClientEnded,
    ClientError,
    FileStore,
    Live,
    Message,
    Session,
    connect,
    session,
)
from chatcore_sqlite import SqliteStore
from tests.integration import chat_sender
from tests.integration.cheap_accounts import DATA, make_accounts
from tests.integration.cutting_proxy import cutting_proxy, faults_of
from tests.integration.serve_client import PASSWORD, signed_in
from tests.integration.serving import Server, serving
from tests.integration.terminals import Program
from tests.readme import README, example

pytestmark = pytest.mark.anyio

FAST = {"CHATCORE_LIMITS": "off"}
WAIT_S = 60
CUTS = int(os.environ.get("CHATCORE_TEST_CLIENT_CUTS", "3"))
KILLS = int(os.environ.get("CHATCORE_TEST_CLIENT_KILLS", "2"))
MISSED = 5_000


PAIRS = [(f"alice-{number}", f"bob-{number}") for number in range(20)]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("server")
    await make_accounts(folder, itertools.chain(*PAIRS))
    async with serving(folder, environment=FAST) as server:
        yield server


@pytest.fixture(scope="module")
def pairs() -> Iterator[tuple[str, str]]:
    return iter(PAIRS)


@pytest.fixture
def pair(pairs: Iterator[tuple[str, str]]) -> tuple[str, str]:
    """The names of two users of the server that no other test uses."""
    return next(pairs)


@asynccontextmanager
async def client_of(url: str, user: str, **options: Any) -> AsyncGenerator[Client]:
    async with connect(url, session(url, user, PASSWORD), **options) as client:
        yield client


async def until(live: Live[Any], is_so: Callable[[Any], object]) -> Any:
    """Return the first value that is as wanted."""
    async with asyncio.timeout(WAIT_S):
        async for value in live:
            if is_so(value):
                return value
    raise AssertionError("the client has ended")


async def online(client: Client) -> None:
    await until(client.status, lambda status: status.state == "online")


def bodies(messages: Sequence[Message]) -> list[str | None]:
    return [message.body for message in messages]


def assert_in_order(messages: Sequence[Message]) -> None:
    seqs = [message.seq or 0 for message in messages]
    assert all(one < two for one, two in pairwise(seqs))


async def test_two_users_chat(server: Server, pair: tuple[str, str]) -> None:
    a, b = pair
    async with client_of(server.url, a) as alice, client_of(server.url, b) as bob:
        await asyncio.gather(online(alice), online(bob))
        room = alice.room(with_=b)
        message = room.send("Hello!", data={"mood": "good"}, mentions=[b])
        assert message.state == "sending"
        assert await message.done == 1
        (room_of_bob,) = await until(bob.rooms, lambda rooms: rooms and "last" in rooms[0])
        assert (room_of_bob["peer"], room_of_bob["last"]["body"], room_of_bob["me"]["unread"]) == (a, "Hello!", 1)
        answering = bob.room(room_of_bob["room"])
        (hello,) = await until(answering.messages, len)
        assert (hello.body, hello.data, hello.mentions, hello.state) == ("Hello!", {"mood": "good"}, [b], "sent")
        await answering.react(hello, "👍")
        answering.mark(1)
        answering.typing()
        assert await until(room.typists, len) == (b,)
        await answering.send("Hi Alice", reply_to=1).done
        await until(room.messages, lambda messages: len(messages) == 2 and messages[0].reactions)
        await until(room.info, lambda info: info["markers"][b]["read"] == 1)
        edited = await room.edit(room.messages.snapshot()[0], "Hello, Bob!")
        assert edited["version"] == 2
        await room.delete(room.messages.snapshot()[0])
        first, second = await until(answering.messages, lambda messages: messages[0].deleted)
        assert (first.body, second.body, second.reply_to) == (None, "Hi Alice", 1)
        assert (await alice.call("presence", {"users": [b]}))["presence"] == {b: {"state": "online"}}
        assert alice.presence.snapshot() == {b: {"state": "online"}}
        with pytest.raises(ClientError, match="Not found") as refused:
            await bob.call("room.get", {"room": "pvt-carol-dave"})
        assert (refused.value.code, refused.value.temporary) == ("not_found", False)


async def test_listener_hears_of_changes_until_it_unsubscribes(server: Server, pair: tuple[str, str]) -> None:
    a, b = pair
    async with client_of(server.url, a) as alice:
        await online(alice)
        room = alice.room(with_=b)
        changes: list[int] = []
        heard = asyncio.Event()

        def listen() -> None:
            changes.append(len(room.messages.snapshot()))
            heard.set()

        unsubscribe = room.messages.subscribe(listen)
        messages = [room.send(str(number)) for number in range(3)]
        await heard.wait()
        assert changes == [3]  # once for all changes of a moment
        before = room.messages.snapshot()
        assert before is room.messages.snapshot()
        assert [one is two for one, two in zip(before, messages, strict=True)] == [True] * 3
        await messages[-1].done
        unsubscribe()
        count = len(changes)
        await room.send("unheard").done
        assert len(changes) == count


async def test_client_waits_for_a_restarted_server_and_sends_in_order(tmp_path: Path) -> None:
    await make_accounts(tmp_path, ("alice", "bob"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(tmp_path, environment=FAST))
        alice = await stack.enter_async_context(client_of(server.url, "alice"))
        bob = await stack.enter_async_context(client_of(server.url, "bob"))
        await asyncio.gather(online(alice), online(bob))
        room, seen = alice.room(with_="bob"), bob.room(with_="alice")
        await room.send("before").done
        await until(seen.messages, len)
        await server.stop()
        await until(alice.status, lambda status: status.state == "offline")
        sent = [room.send(f"offline {number}") for number in range(20)]
        assert {message.state for message in room.messages.snapshot()} == {"sent", "sending"}
        again = serving(tmp_path, port=server.port, environment=FAST)
        await stack.enter_async_context(again)
        await asyncio.gather(*(message.done for message in sent))
        expected = ["before", *(f"offline {number}" for number in range(20))]
        shown = await until(seen.messages, lambda messages: len(messages) == 21)
        assert bodies(shown) == bodies(room.messages.snapshot()) == expected
        assert alice.status.snapshot().error is None


async def test_messages_are_stored_once_and_in_order_when_the_server_is_killed(tmp_path: Path) -> None:
    await make_accounts(tmp_path, ("alice", "bob"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(tmp_path, environment=FAST))
        alice = await stack.enter_async_context(client_of(server.url, "alice"))
        room = alice.room(with_="bob")
        sent: list[Message] = []
        for _ in range(KILLS):
            await online(alice)
            sent += [room.send(f"m {len(sent) + number}") for number in range(30)]
            await sent[-20].done
            await server.kill()
            server = await stack.enter_async_context(serving(tmp_path, port=server.port, environment=FAST))
        seqs = [await message.done for message in sent]
        assert seqs == list(range(1, len(sent) + 1))
        async with signed_in(server, "bob") as bob:
            assert [entry["body"] for entry in await bob.entries("alice")] == [f"m {n}" for n in range(len(sent))]


async def sender(url: str, pair: tuple[str, str], store: Path, prefix: str, count: int) -> asyncio.subprocess.Process:
    program = (sys.executable, "-m", chat_sender.__name__)
    return await asyncio.create_subprocess_exec(
        *(*program, url, pair[0], PASSWORD, pair[1], str(store), prefix, str(count)), stdout=asyncio.subprocess.PIPE
    )


async def read_lines(process: asyncio.subprocess.Process, count: int) -> list[str]:
    assert process.stdout
    return [(await process.stdout.readline()).decode().strip() for _ in range(count)]


async def test_what_send_returned_for_survives_kills_of_its_process(
    server: Server, pair: tuple[str, str], tmp_path: Path
) -> None:
    a, b = pair
    store = tmp_path / "outbox"
    said: list[str] = []
    for kill in range(KILLS):
        process = await sender(server.url, pair, store, f"run {kill}", 200)
        said += await read_lines(process, 25)
        process.kill()
        output = process.stdout
        assert output
        said += (await output.read()).decode().split("\n")[:-1]
        await process.wait()
    process = await sender(server.url, pair, store, "last", 1)
    assert await read_lines(process, 2) == ["last 0", "done"]
    assert await process.wait() == 0
    async with signed_in(server, b) as bob:
        stored = [entry["body"] for entry in await bob.entries(a)]
    assert len(stored) == len(set(stored))
    assert [body for body in stored if body in said] == said
    assert list(FileStore(store).load()) == []


async def test_two_processes_share_a_store(server: Server, pair: tuple[str, str], tmp_path: Path) -> None:
    a, b = pair
    store = tmp_path / "outbox"
    processes = [await sender(server.url, pair, store, name, 60) for name in ("one", "two")]
    said = await asyncio.gather(*(read_lines(process, 61) for process in processes))
    assert [lines[-1] for lines in said] == ["done", "done"]
    for process in processes:
        assert await process.wait() == 0
    async with signed_in(server, b) as bob:
        stored = [entry["body"] for entry in await bob.entries(a)]
    for lines in said:
        assert [body for body in stored if body in lines] == lines[:-1]
    assert len(stored) == 120
    assert list(FileStore(store).load()) == []


async def test_users_behind_a_proxy_that_cuts_read_the_same_log(server: Server, pair: tuple[str, str]) -> None:
    a, b = pair
    async with (
        cutting_proxy(server.port, faults_of("the Python client", CUTS)) as proxy,
        client_of(proxy.url, a) as alice,
        client_of(proxy.url, b) as bob,
    ):
        rooms = alice.room(with_=b), bob.room(with_=a)
        sent: list[Message] = []
        while sum(proxy.struck.values()) < CUTS:
            sent += [room.send(f"{number} {len(sent)}" + "." * 500) for number, room in enumerate(rooms)]
            await asyncio.sleep(0.05)
        async with asyncio.timeout(WAIT_S):
            seqs = [await message.done for message in sent]
        assert sorted(seqs) == list(range(1, len(sent) + 1))
        assert seqs[::2] == sorted(seqs[::2])
        assert seqs[1::2] == sorted(seqs[1::2])
        for room in rooms:
            await until(room.messages, lambda messages: messages and messages[-1].seq == len(sent))
            while await room.more(200):
                pass
            assert_in_order(room.messages.snapshot())
        first, second = (bodies(room.messages.snapshot()) for room in rooms)
        assert first == second
        assert len(first) == len(sent)


async def test_token_is_refreshed_over_the_open_connection(tmp_path: Path) -> None:
    """Tokens live for 4 s. The socket of `ready` is still the same one after that."""
    await make_accounts(tmp_path, ("alice",))
    async with serving(tmp_path, "--access-token-s", "4", environment=FAST) as server:
        kept: list[Any] = []
        third = asyncio.Event()

        def keep(tokens: Any) -> None:
            kept.append(tokens)
            if len(kept) == 3:
                third.set()

        token = Session(Accounts(server.url), "alice", PASSWORD, keep=keep)
        async with connect(server.url, token) as alice:
            await online(alice)
            states: list[str] = []
            alice.status.subscribe(lambda: states.append(alice.status.snapshot().state))
            async with asyncio.timeout(WAIT_S):
                await third.wait()
            await alice.call("rooms")
        assert states == ["ended"]
        assert len(kept) == 3


async def test_sign_out_elsewhere_ends_the_client(server: Server, pair: tuple[str, str], tmp_path: Path) -> None:
    a, b = pair
    kept: list[Any] = []
    token = Session(Accounts(server.url), a, PASSWORD, keep=kept.append)
    store = FileStore(tmp_path / "outbox")
    async with connect(server.url, token, store=store) as alice:
        await online(alice)
        room = alice.room(with_=b)
        await Accounts(server.url).sign_out(kept[-1]["access_token"])
        status = await until(alice.status, lambda status: status.state == "ended")
        assert status.error["code"] == "signed_out"
        with pytest.raises(ClientEnded):
            await until(room.messages, lambda _messages: False)
        with pytest.raises(ClientEnded):
            await alice.call("rooms")
        with pytest.raises(ClientEnded):
            room.send("too late")
        assert [status.state async for status in alice.status] == ["ended"]


async def test_message_that_ends_the_connection_fails_and_the_next_one_is_sent(
    server: Server, pair: tuple[str, str]
) -> None:
    a, b = pair
    async with client_of(server.url, a) as alice:
        room = alice.room(with_=b)
        large, small = room.send("x" * 1_200_000), room.send("small")
        with pytest.raises(ClientError) as refused:
            await large.done
        assert refused.value.code == "too_large"
        assert await small.done == 1
        assert [message.state for message in room.messages.snapshot()] == ["sent", "failed"]


async def test_message_to_a_user_who_blocks_is_retried_or_discarded(server: Server, pair: tuple[str, str]) -> None:
    a, b = pair
    async with client_of(server.url, a) as alice, client_of(server.url, b) as bob:
        await bob.call("block", {"user": a})
        room = alice.room(with_=b)
        first, second = room.send("one"), room.send("two")
        with pytest.raises(ClientError) as refused:
            await first.done
        with pytest.raises(ClientError):
            await second.done
        one, two = room.messages.snapshot()
        assert (one.state, one.error, refused.value.code) == ("failed", refused.value.error, "forbidden")
        two.discard()
        await bob.call("unblock", {"user": a})
        one.retry()
        assert await first.done == 1
        with pytest.raises(ClientError, match="discarded"):
            await second.done
        assert bodies(room.messages.snapshot()) == ["one"]


async def test_client_that_missed_thousands_of_messages_pages_them(tmp_path: Path) -> None:
    await make_accounts(tmp_path, ("alice", "bob"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(tmp_path, environment=FAST))
        bob = await stack.enter_async_context(client_of(server.url, "bob"))
        room = bob.room(with_="alice")
        await room.send("first").done
        await until(room.messages, len)
        await server.stop()
        async with Chat(SqliteStore(tmp_path / DATA)) as chat, asyncio.TaskGroup() as tasks:
            for number in range(MISSED):
                tasks.create_task(chat.execute("alice", SendMessage(to="bob", body=str(number), key=str(number))))
        await stack.enter_async_context(serving(tmp_path, port=server.port, environment=FAST))
        shown = await until(room.messages, lambda messages: len(messages) > MISSED)
        assert [message.seq for message in shown] == list(range(1, MISSED + 2))
        assert not await room.more()
        info = room.info.snapshot()
        assert info
        assert (info["head"], info["last"]["seq"], info["me"]["unread"]) == (MISSED + 1, MISSED + 1, 100)


async def test_wrong_password_ends_the_client(server: Server, pair: tuple[str, str]) -> None:
    a, _ = pair
    async with connect(server.url, session(server.url, a, "a wrong sentence")) as client:
        status = await until(client.status, lambda status: status.state == "ended")
    assert status.error["code"] == "unauthenticated"


async def test_session_signs_a_user_up_and_refreshes_its_tokens(server: Server) -> None:
    kept: list[Any] = []
    accounts = Accounts(server.url)
    token = Session(accounts, "carol", PASSWORD, sign_up=True, keep=kept.append)
    first = await token(None)
    assert await token(None) == first
    await token(first)
    assert len({tokens["refresh_token"] for tokens in kept}) == 2


async def test_client_without_a_server_says_so_and_keeps_trying(unused_port: int) -> None:
    async with client_of(f"http://127.0.0.1:{unused_port}", "alice") as client:
        status = await until(client.status, lambda status: status.error)
        assert (status.state, status.error["code"]) == ("connecting", "unavailable")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_refused_token_that_is_no_function_ends_the_client(server: Server) -> None:
    async with connect(server.url, "no token of this server") as client:
        status = await until(client.status, lambda status: status.state == "ended")
        assert status.error["code"] == "unauthenticated"


async def test_closed_client_ends_its_iterations(server: Server, pair: tuple[str, str]) -> None:
    a, b = pair
    async with client_of(server.url, a) as alice:
        await online(alice)
        assert await anext(aiter(alice.room(with_=b).typists)) == ()
        readers = [asyncio.create_task(_count(live)) for live in (alice.rooms, alice.status, alice.presence)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*readers) == [1, 2, 1]
    async with ClientSession() as http, http.get(f"{server.url}/readyz") as answer:
        assert answer.status == 200


async def _count(live: Live[Any]) -> int:
    return len([value async for value in live])


async def test_readme_program_chats_across_restart(tmp_path: Path) -> None:
    program = tmp_path / "chat.py"
    program.write_text(example("python", "chatcore_client"), encoding="utf-8")
    run = Program([sys.executable, "-u", str(program)]).run
    await make_accounts(tmp_path, ("alice", "bob"))
    async with (
        serving(tmp_path) as running,
        run("alice", "bob", running.url) as first,
        run("bob", "alice", running.url) as second,
    ):
        for terminal in (first, second):
            await terminal.until(lambda shown: any(line.endswith("is online") for line in shown))
        await first.types("hello")
        await second.shows("1 alice: hello")
        await running.kill()
        await first.shows("alice is offline")
        await second.types("are you there?", "I wait")
        async with serving(tmp_path, port=running.port):
            for terminal in (first, second):
                await terminal.shows("1 alice: hello", "2 bob: are you there?", "3 bob: I wait")
                assert [line[0] for line in terminal.messages] == ["1", "2", "3"]
            await first.types("x" * 20_000)
            await first.until(lambda shown: any(line.startswith("not sent: alice: xxx") for line in shown))


async def test_example_of_the_clients_page_runs(server: Server, pair: tuple[str, str], tmp_path: Path) -> None:
    text = example("python", "chatcore_client", README.parent / "docs" / "clients.md")
    a, b = pair
    for shown, real in (
        ("https://chat.example", server.url),
        ("a long sentence", PASSWORD),
        ('"alice"', f'"{a}"'),
        ('"bob"', f'"{b}"'),
        ("alice.outbox", str(tmp_path / "outbox")),
    ):
        assert shown in text
        text = text.replace(shown, real)
    program = tmp_path / "example.py"
    program.write_text(text, encoding="utf-8")
    async with Program([sys.executable, "-u", str(program)]).run() as terminal:
        await terminal.shows("1", f"[('sent', '{a}', 'Hello!')]")
