"""The chat programs in examples/: two processes, a real server, its restarts and refusals."""

import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.javascript import install_node_18
from tests.integration.scripted_proxy import CLOSED, HANDSHAKE, HTML, refusal, scripted_proxy
from tests.integration.serve_client import signed_in
from tests.integration.serving import serving
from tests.integration.terminals import Program, Terminal, javascript_program, python_program

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["javascript", "python"])
def program(request: pytest.FixtureRequest, node_modules: Path) -> Program:
    return python_program() if request.param == "python" else javascript_program(node_modules)


@asynccontextmanager
async def two_users(program: Program, url: str) -> AsyncGenerator[tuple[Terminal, Terminal]]:
    async with program.run("alice", "bob", url) as alice, program.run("bob", "alice", url) as bob:
        await alice.is_online()
        await bob.is_online()
        yield alice, bob


async def test_two_users_chat_over_a_restart_of_the_server(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, two_users(program, server.url) as (alice, bob):
        await alice.types("hello, bob")
        for user in (alice, bob):
            await user.shows("1 alice: hello, bob")
        await server.kill()
        async with serving(tmp_path, port=server.port):
            await alice.is_online(2)
            await bob.is_online(2)
            await bob.types("hello, alice")
            for user in (alice, bob):
                await user.shows("2 bob: hello, alice")
            assert await alice.ends() == await bob.ends() == 0
        assert alice.messages == bob.messages == ["1 alice: hello, bob", "2 bob: hello, alice"]
        assert alice.complained == bob.complained == []


async def test_what_is_typed_while_the_server_is_away_arrives_once(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, two_users(program, server.url) as (alice, bob):
        assert await bob.ends() == 0
        await server.kill()
        await alice.types("one", "two", "three")
        async with serving(tmp_path, port=server.port) as server, program.run("bob", "alice", server.url) as bob:
            sent = ["1 alice: one", "2 alice: two", "3 alice: three"]
            await alice.shows(*sent)
            await bob.shows(*sent)
            assert alice.messages == bob.messages == sent


async def test_chat_goes_on_after_the_access_token_expired(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path, "--access-token-s", "3") as server, program.run("alice", "alice", server.url) as alice:
        await alice.types("a note")
        await alice.is_online(2)
        await alice.types("another")
        await alice.shows("1 alice: a note", "2 alice: another")
        assert await alice.ends() == 0


async def test_reconnect_after_a_restart_needs_no_password(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path, "--access-token-s", "3") as server, scripted_proxy(server.port) as proxy:
        async with program.run("alice", "alice", proxy.url) as alice:
            await alice.is_online()
            await server.kill()
            async with serving(tmp_path, "--access-token-s", "3", port=server.port):
                await alice.is_online(3)  # after the restart, and after the end of that token
        assert len(proxy.times("/api/v1/sessions")) == 2  # refused once: the first had no account
        assert proxy.times("/api/v1/sessions/refresh")


async def test_password_is_used_again_after_the_session_ended(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path, "--access-token-s", "3") as server:
        refusals = {"/api/v1/sessions/refresh": [refusal(401)]}
        async with scripted_proxy(server.port, refusals) as proxy, program.run("alice", "alice", proxy.url) as alice:
            await alice.is_online(2)
            await alice.types("still here")
            await alice.shows("1 alice: still here")


async def test_refused_sign_in_is_repeated_after_retry_after(tmp_path: Path, program: Program) -> None:
    refusals = {"/api/v1/sessions": [refusal(429, retry_after=2), refusal(503), HTML, CLOSED]}
    async with (
        serving(tmp_path) as server,
        scripted_proxy(server.port, refusals) as proxy,
        program.run("alice", "alice", proxy.url) as alice,
    ):
        await alice.types("typed meanwhile")
        await alice.shows("1 alice: typed meanwhile")
        assert sum(line.startswith("sign-in failed, trying again: ") for line in alice.shown) == 4
        first, second, *_ = proxy.times("/api/v1/sessions")
        assert second - first >= 2


async def test_wrong_password_ends_in_one_line(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server:
        async with program.run("alice", "bob", server.url) as alice:
            await alice.is_online()
        async with program.run("alice", "bob", server.url, CHAT_PASSWORD="wrong horse") as alice:
            await alice.types("hello")
            assert await alice.ended() == 1
            assert alice.complained == ["alice: This user name and this password don't belong together."]
            assert alice.shown == []


async def test_closed_session_ends_in_one_line(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, program.run("alice", "bob", server.url) as alice:
        await alice.is_online()
        async with signed_in(server, "alice") as other:
            async with other.http.get(f"{other.api}/sockets", headers=other.bearer) as answer:
                (socket,) = (await answer.json())["sockets"]
            async with other.http.delete(f"{other.api}/sockets/{socket['id']}", headers=other.bearer):
                pass
        assert await alice.ended() == 1
        assert alice.complained == ["alice: the server closed this session: kicked"]


async def test_missing_argument_is_answered_with_usage(program: Program) -> None:
    async with program.run("alice") as alice:
        assert await alice.ended() == 2
        assert [line.partition(":")[0] for line in alice.complained] == ["usage"]


async def test_first_message_of_a_new_room_is_shown(tmp_path: Path, program: Program) -> None:
    async with (
        serving(tmp_path) as server,
        scripted_proxy(server.port, hold_after=b'42["ready"') as proxy,
        program.run("alice", "bob", proxy.url) as alice,
        signed_in(server, "carol") as carol,
    ):
        await proxy.until_sent(b'42["ready"')  # alice has `ready`, the server does not have `sync`
        await carol.send("alice", "k", "hello, alice")
        await proxy.until_sent(b"hello, alice")
        proxy.release()
        await alice.is_online()
        await alice.shows("1 carol: hello, alice")


async def test_refused_message_is_shown_and_the_next_is_sent(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, program.run("alice", "bob", server.url) as alice:
        await alice.is_online()
        await alice.types("nobody is there")
        await alice.until(lambda shown: any(line.startswith("not sent: nobody is there (") for line in shown))
        async with program.run("bob", "alice", server.url) as bob:
            await bob.is_online()
            await alice.types("hello")
            await bob.shows("1 alice: hello")


@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_message_that_is_too_large_holds_up_no_other(tmp_path: Path, program: Program, size: int) -> None:
    async with serving(tmp_path) as server, program.run("alice", "alice", server.url) as alice:
        await alice.is_online()
        await alice.types("x" * size, "after")
        await alice.shows("1 alice: after")
        assert sum(line.startswith("not sent: xxx") for line in alice.shown) == 1


async def test_gap_above_200_entries_is_shown_in_order(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path, "--limits", "off") as server, signed_in(server, "bob") as bob:
        async with program.run("alice", "bob", server.url) as alice:
            await alice.is_online()
        for number in range(1, 451):
            await bob.send("alice", f"k{number}", str(number))
        async with program.run("alice", "bob", server.url) as alice:
            for number in range(451, 461):
                await bob.send("alice", f"k{number}", str(number))
            await alice.shows("460 bob: 460")
            assert alice.messages == [f"{number} bob: {number}" for number in range(1, 461)]


async def test_restored_backup_is_shown_from_its_beginning(tmp_path: Path, program: Program) -> None:
    folder, backup = tmp_path / "served", tmp_path / "backup"
    folder.mkdir()
    async with serving(folder) as server, program.run("alice", "alice", server.url) as alice:
        await alice.types("one")
        await alice.shows("1 alice: one")
        await server.stop()
        shutil.copytree(folder, backup)
        async with serving(folder, port=server.port):
            await alice.is_online(2)
            await alice.types("lost", "lost as well")
            await alice.shows("3 alice: lost as well")
        async with serving(backup, port=server.port):
            await alice.is_online(3)
            await alice.types("two")
            await alice.shows("2 alice: two")
    assert alice.messages[-2:] == ["1 alice: one", "2 alice: two"]


@pytest.mark.parametrize("when", ["at once", "online", "offline"])
async def test_ctrl_c_ends_the_program_without_a_traceback(tmp_path: Path, program: Program, when: str) -> None:
    async with serving(tmp_path) as server, program.run("alice", "bob", server.url) as alice:
        if when != "at once":
            await alice.is_online()
        if when == "offline":
            await server.kill()
            await alice.shows("alice is offline")
        alice.process.send_signal(signal.SIGINT)
        assert await alice.ended() == -signal.SIGINT
        assert alice.complained == []


async def test_end_of_input_ends_the_program_after_its_last_message(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, program.run("alice", "alice", server.url) as alice:
        await alice.types("one", "two")
        assert await alice.ends() == 0
        async with program.run("alice", "alice", server.url) as alice:
            await alice.shows("1 alice: one", "2 alice: two")


async def test_end_of_input_without_a_server_ends_with_an_error(tmp_path: Path, program: Program) -> None:
    async with serving(tmp_path) as server, program.run("alice", "alice", server.url) as alice:
        await alice.is_online()
        await server.kill()
        await alice.types("one")
        assert await alice.ends() == 1
        assert alice.complained == ["not sent: the server does not answer"]


async def test_handshake_that_is_cut_in_its_body_is_repeated(tmp_path: Path, program: Program) -> None:
    refusals = {"/socket.io/": [HANDSHAKE, HANDSHAKE[:-20], HTML, CLOSED]}
    async with (
        serving(tmp_path) as server,
        scripted_proxy(server.port, refusals) as proxy,
        program.run("alice", "alice", proxy.url) as alice,
    ):
        await alice.types("hello")
        await alice.shows("1 alice: hello")


async def test_program_runs_on_node_18(tmp_path: Path, node_modules: Path) -> None:
    program = javascript_program(node_modules, install_node_18(tmp_path))
    async with serving(tmp_path) as server, two_users(program, server.url) as (alice, bob):
        await alice.types("hello, bob")
        await bob.shows("1 alice: hello, bob")
