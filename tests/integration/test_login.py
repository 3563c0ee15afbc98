"""`chatcore login` and `logout`: passwords, sessions that several processes use, and the lines about what is wrong."""

import asyncio
import json
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from aiohttp import web

from chatcore_client import Accounts, ClientError
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from chatcore_terminal import api
from chatcore_terminal.errors import CommandError
from chatcore_terminal.sessions import Session, SessionFile, SignedOutError, choose
from chatcore_terminal.signing_in import sign_in, sign_out

from .command_line import PASSWORD, CommandLine

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

TOKEN = """
import asyncio, sys
from chatcore_terminal.sessions import SessionFile

print(asyncio.run(SessionFile.of(*sys.argv[1:]).token()))
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def server(**settings: int) -> AsyncGenerator[str]:
    """The address of a server in this process."""
    async with running(Settings(port=0, store="memory", **settings)) as addresses:  # type: ignore[arg-type]
        yield f"http://localhost:{addresses[0][1]}"


@pytest.fixture
async def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[CommandLine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with server() as url:
        yield CommandLine(tmp_path, url)


def session_file(commands: CommandLine) -> SessionFile:
    return SessionFile.of(commands.url, "alice")


def generation(session: Session) -> int:
    """Return how often a session was refreshed: its refresh token says so."""
    return int(session.refresh_token.split(".")[1])


async def test_password_of_a_new_account_is_asked_for_twice_without_echo(commands: CommandLine) -> None:
    async with commands.on_terminal("login", "Alice", "--sign-up") as screen:
        await screen.shows(f"New password of Alice at {commands.url}: ")
        assert not screen.echoes
        screen.types(f"{PASSWORD}\n")
        await screen.shows("The same again: ")
        screen.types(f"{PASSWORD}\n")
        assert await screen.ended() == 0
        await screen.shows(f"alice is signed in at {commands.url}.")
        assert screen.echoes
        assert PASSWORD not in screen.text


async def test_two_passwords_that_differ_create_nothing(commands: CommandLine) -> None:
    async with commands.on_terminal("login", "alice", "--sign-up") as screen:
        await screen.shows("New password")
        screen.types(f"{PASSWORD}\n")
        await screen.shows("again")
        screen.types("another sentence\n")
        assert await screen.ended() == 2
        await screen.shows("chatcore: The two passwords differ; nothing was done.")
    assert not list(commands.state.iterdir())


async def test_interrupted_prompt_leaves_a_terminal_that_echoes(commands: CommandLine) -> None:
    async with commands.on_terminal("login", "alice") as screen:
        await screen.shows("Password of alice")
        screen.types("\x03")
        assert await screen.ended() == 130
        assert screen.echoes
        assert "Traceback" not in screen.text


async def test_script_gives_the_password_by_standard_input_or_variable(commands: CommandLine) -> None:
    greeting = [f"alice is signed in at {commands.url}."]
    assert await commands.run("login", "alice", "--sign-up", typed=f"{PASSWORD}\n") == (0, greeting, [])
    assert await commands.run("login", "Alice", "--sign-up", CHATCORE_PASSWORD=PASSWORD) == (0, greeting, [])
    line = "chatcore: There is no password: type it, set CHATCORE_PASSWORD, or write it to standard input."
    assert await commands.run("login", "alice") == (2, [], [line])


async def test_refused_sign_in_says_what_to_do(commands: CommandLine) -> None:
    await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    for user, password, sign_up, line in [
        ("alice", "wrong horse", False, "The name or the password is wrong; a new account needs --sign-up."),
        ("alice", "wrong horse", True, "The name alice is taken, and this is not its password."),
        ("bob", "short", True, "password must have 8 to 1024 characters."),
    ]:
        with pytest.raises(CommandError) as refused:
            await sign_in(commands.url, user, password, sign_up=sign_up)
        assert (str(refused.value), refused.value.exit_code) == (line, 1)


async def test_server_that_does_not_answer_is_temporary() -> None:
    with pytest.raises(CommandError) as refused:
        await sign_in("http://localhost:1", "alice", PASSWORD, sign_up=False)
    assert str(refused.value) == "http://localhost:1 does not answer (Connection refused)."
    assert refused.value.exit_code == 75


async def test_session_is_kept_for_its_owner_only_and_without_the_password(commands: CommandLine) -> None:
    await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    folder = commands.state / "chatcore"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    file.chmod(0o640)
    with pytest.raises(
        CommandError, match=f"^{file} is open to other users of this machine: `chmod 600` it"
    ) as refused:
        choose(None, None)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": "http://localhost"}', b"\x80"])
def test_file_that_is_no_session_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "alice.session"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(CommandError) as refused:
        SessionFile(file).read()
    assert str(refused.value) == f"{file} holds no session: remove it and sign in anew."


def test_user_is_named_where_several_are_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def keep(user: str, url: str) -> None:
        session = Session(url=url, user=user, access_token="a", refresh_token="r", good_until=0.0)
        SessionFile.of(url, user).write(session)

    def refusal(user: str | None, url: str | None) -> str:
        with pytest.raises(CommandError) as refused:
            choose(user, url)
        assert refused.value.exit_code == 2
        return str(refused.value)

    assert refusal(None, None) == "No user is signed in; sign in: chatcore login USER"
    assert refusal(None, "http://a") == "No user is signed in at http://a; sign in: chatcore login USER"
    keep("alice", "http://a")
    assert choose(None, None) == choose("ALICE", None) == choose(None, "http://a")
    keep("bob/..", "http://a")
    assert refusal(None, None) == "Several users are signed in: --as alice, --as bob/... Say which."
    assert choose("bob/..", None).user == "bob/.."
    keep("alice", "http://b")
    line = "Several users are signed in: --as alice --url http://a, --as alice --url http://b. Say which."
    assert refusal("alice", None) == line
    assert choose("alice", "http://b").url == "http://b"
    assert refusal("carol", "http://b").startswith("carol is not signed in at http://b (signed in: --as alice --url ")


async def test_sign_out_ends_the_session_at_the_server(commands: CommandLine) -> None:
    session = await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    assert await commands.run("logout", CHATCORE_AS="ALICE") == (0, [f"alice is signed out at {commands.url}."], [])
    assert session_file(commands).read() is None
    with pytest.raises(api.Refused):
        await api.refresh(commands.url, session.refresh_token)


async def test_sign_out_without_an_answer_keeps_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with server() as url:
        session = await sign_in(url, "alice", PASSWORD, sign_up=True)
    with pytest.raises(CommandError, match="does not answer") as refused:
        await sign_out(session)
    assert refused.value.exit_code == 75
    assert choose("alice", url) == session


async def test_processes_that_refresh_at_once_share_the_new_tokens(commands: CommandLine) -> None:
    session = await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    session_file(commands).write(attrs.evolve(session, good_until=0.0))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TOKEN, commands.url, "alice", env=commands.environment(), stdout=-1
        )
        for _ in range(3)
    ]
    tokens = {(await process.communicate())[0].decode() for process in processes}
    present = choose("alice", None)
    assert tokens == {f"{present.access_token}\n"}
    assert generation(present) == generation(session) + 1


async def test_refused_token_is_refreshed_once_however_many_ask(commands: CommandLine) -> None:
    session = await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    file = session_file(commands)
    tokens = await asyncio.gather(*(file.token(session.access_token) for _ in range(10)))
    present = choose("alice", None)
    assert {*tokens, await file.token()} == {present.access_token}
    assert generation(present) == generation(session) + 1
    await api.refresh(commands.url, present.refresh_token)  # it is alive


async def test_session_that_the_server_ended_is_forgotten(commands: CommandLine) -> None:
    session = await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    await api.sign_out(commands.url, session.access_token)
    with pytest.raises(SignedOutError, match=f"sign in anew: chatcore login alice --url {commands.url}"):
        await session_file(commands).token(session.access_token)
    assert session_file(commands).read() is None


async def test_process_killed_while_it_writes_leaves_a_whole_session(commands: CommandLine) -> None:
    session = await sign_in(commands.url, "alice", PASSWORD, sign_up=True)
    code = f"""
import os, signal
from chatcore_terminal.sessions import Session, SessionFile

file = SessionFile.of({commands.url!r}, "alice")
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
file.write(Session(url="u", user="u", access_token="a" * 9999, refresh_token="r", good_until=1.0))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=commands.environment())
    assert await process.wait() == -signal.SIGKILL
    assert choose(None, None) == session


@asynccontextmanager
async def scripted(*answers: web.Response) -> AsyncGenerator[tuple[str, list[str]]]:
    """A server that gives these answers, and the paths that were asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return answers[len(asked) - 1]

    scripted = web.Server(answer)  # type: ignore[arg-type]
    listener = await asyncio.get_running_loop().create_server(scripted, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", asked
    finally:
        listener.close()
        await scripted.shutdown()


def problem(status: int, code: str, detail: str, temporary: bool, **headers: str) -> web.Response:
    body = json.dumps({"code": code, "detail": detail, "temporary": temporary})
    return web.Response(status=status, text=body, content_type="application/problem+json", headers=headers)


async def test_password_does_not_follow_a_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with scripted() as (elsewhere, asked_elsewhere):
        moved = [web.Response(status=307, headers={"Location": f"{elsewhere}/api/v1/sessions"}) for _ in range(2)]
        async with scripted(*moved) as (url, asked):
            with pytest.raises(CommandError, match=f"^{url} answers 307, and is no chatcore server; check --url.$"):
                await sign_in(url, "alice", PASSWORD, sign_up=False)
            with pytest.raises(ClientError, match=f"^{url} answers 307.$"):
                await Accounts(url).sign_in("alice", PASSWORD)
    assert (asked, asked_elsewhere) == (["/api/v1/sessions"] * 2, [])


async def test_busy_server_is_asked_again(tmp_path: Path) -> None:
    busy = problem(429, "rate_limited", "Too many\x1b[2J attempts.", True, **{"Retry-After": "1"})
    tokens = {"access_token": "a.b.c", "refresh_token": "r", "expires_in": 900, "user": "ali\u202ece", "device": "d"}
    async with scripted(busy, web.json_response(tokens)) as (url, asked):
        assert await CommandLine(tmp_path, url).run("login", "alice", typed="correct horse") == (
            0,
            [f"ali\\u202ece is signed in at {url}."],
            ["chatcore: Too many\\x1b[2J attempts. Trying again in 1 s."],
        )
    assert asked == ["/api/v1/sessions"] * 2
