"""`chatcore chat`, `send` and `tail` in separate processes: nothing is lost, repeated or out of order."""

import asyncio
import json
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from chatcore_client import FileStore
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from chatcore_terminal.sessions import Session, SessionFile, name_of
from tests.readme import example

from .cheap_accounts import make_accounts
from .command_line import CommandLine
from .serve_client import PASSWORD
from .serving import CHATCORE, serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

ROOM = "pvt-alice-bob"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def signed_in(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return the command line of a user of the machine who is signed in as alice and as bob."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    async with aiohttp.ClientSession() as http:
        for user in ("alice", "bob"):
            body = {"user": user, "password": PASSWORD}
            async with http.post(f"{url}/api/v1/sessions", json=body) as answer:
                assert answer.status == 201
                SessionFile.of(url, user).write(Session.of(url, await answer.json()))
    return CommandLine(folder / "state", url)


@asynccontextmanager
async def served(
    folder: Path, monkeypatch: pytest.MonkeyPatch, port: int = 0, **settings: int
) -> AsyncGenerator[CommandLine]:
    """A server in this process, and the command line of alice and bob."""
    values = Settings(port=port, data_dir=folder / "chatcore-data", **settings)  # type: ignore[arg-type]
    async with running(values) as addresses:
        yield await signed_in(folder, f"http://localhost:{addresses[0][1]}", monkeypatch)


@pytest.fixture
async def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[CommandLine]:
    await make_accounts(tmp_path, ["alice", "bob"])
    async with served(tmp_path, monkeypatch) as commands:
        yield commands


async def bodies(commands: CommandLine) -> Sequence[str]:
    """Return what stands in the room of alice and bob."""
    session = SessionFile.of(commands.url, "alice").read()
    assert session
    headers = {"Authorization": f"Bearer {session.access_token}"}
    url = f"{commands.url}/api/v1/users/bob/entries?anchor=oldest&after=200"
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        return [entry["body"] for entry in (await answer.json())["entries"]]


async def post(commands: CommandLine, *texts: str) -> None:
    """Send messages from alice to bob over HTTP, without a process."""
    session = SessionFile.of(commands.url, "alice").read()
    assert session
    headers = {"Authorization": f"Bearer {session.access_token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for text in texts:
            body = {"body": text, "key": secrets.token_hex(8)}
            async with http.post(f"{commands.url}/api/v1/users/bob/messages", json=body) as answer:
                assert answer.status == 201


def outbox_of(commands: CommandLine) -> Path:
    return commands.state / "chatcore" / f"{name_of(commands.url, 'alice')}.outbox"


def without_times(lines: Sequence[str]) -> Sequence[str]:
    return [line.partition(" ")[2] for line in lines]


async def test_readme_lets_two_terminals_chat(tmp_path: Path) -> None:
    _, *logins, chat = example("sh", "chatcore login").splitlines()
    own, _, others = chat.partition("# in the other terminal: ")
    async with running(Settings(port=0, store="memory")) as addresses:
        commands = CommandLine(tmp_path, f"http://localhost:{addresses[0][1]}")
        for line in logins:
            program, *arguments = shlex.split(line, comments=True)
            assert program == "chatcore"
            assert (await commands.run(*arguments, typed=PASSWORD))[0] == 0
        async with (
            commands.on_terminal(*shlex.split(own)[1:]) as alice,
            commands.on_terminal(*shlex.split(others)[1:]) as bob,
        ):
            alice.types("hello bob\n")
            await bob.shows(" alice: hello bob\n")
            bob.types("hello alice\n")
            await alice.shows(" bob: hello alice\n")
            for screen in (alice, bob):
                screen.types("\x04")
                assert await screen.ended() == 0
    assert alice.text.count("hello bob") == 1  # as it was typed
    assert bob.text.count("hello alice") == 1


async def test_message_is_sent_and_answered_for_scripts(commands: CommandLine) -> None:
    assert await commands.run("send", "bob", "hello", "there", "--as", "alice") == (0, [], [])
    code, printed, complaints = await commands.run("send", ROOM, "--as=alice", "--json", typed="two\r\n\n three")
    answers = [json.loads(line) for line in printed]
    assert (code, complaints) == (0, [])
    assert [(answer["room"], answer["seq"]) for answer in answers] == [(ROOM, 2), (ROOM, 3)]
    assert await bodies(commands) == ["hello there", "two", " three"]


async def test_refused_message_is_named_and_leaves_the_outbox(commands: CommandLine) -> None:
    long = "\x1b" + "x" * 20_000
    code, printed, (line,) = await commands.run("send", "bob", "--json", "--as", "alice", typed=f"{long}\nsecond\n")
    assert code == 1
    assert line.startswith(f"chatcore: not sent: \\x1b{'x' * 56}… (body must ")
    assert ["error" in json.loads(answer) for answer in printed] == [True, False]
    assert await bodies(commands) == ["second"]
    assert not list(FileStore(outbox_of(commands)).load())


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (b"one\n\xff\ntwo\n", "Line 2 is not in UTF-8; it and what follows were not sent."),
        (b"one\n" + b"x" * 70_000, "Line 2 is longer than 64 KiB; it and what follows were not sent."),
    ],
)
async def test_line_that_is_no_message_ends_the_command_after_those_before(
    typed: bytes, line: str, commands: CommandLine
) -> None:
    async with commands.running("send", "bob", "--as", "alice") as sending:
        assert sending.process.stdin
        sending.process.stdin.write(typed)
        sending.process.stdin.close()
        assert await sending.ended() == (1, [], [f"chatcore: {line}"])
    assert await bodies(commands) == ["one"]


async def test_unknown_user_is_refused(commands: CommandLine) -> None:
    line = "chatcore: There is no user carol, and you are in no room of this id."
    assert await commands.run("tail", "carol", "--as", "bob") == (1, [], [line])


async def test_tail_shows_history_news_and_changes_of_a_room(commands: CommandLine) -> None:
    await post(commands, "one", "two", "three")
    async with commands.running("tail", "alice", "-n", "2", "--as", "bob") as tail:
        await tail.until(lambda tail: len(tail.printed) == 2)
        await post(commands, "four\x1b[2J\u202e\n12:00 bob: forged")
        await tail.until(lambda tail: len(tail.printed) == 4)
        code, printed, complaints = await tail.stop(signal.SIGINT)
    assert (code, complaints) == (130, [])
    assert without_times(printed[:3]) == ["alice: two", "alice: three", "alice: four\\x1b[2J\\u202e"]
    assert printed[3] == "    12:00 bob: forged"


async def test_tail_of_all_rooms_names_them_and_begins_with_what_is_new(commands: CommandLine) -> None:
    await post(commands, "old")
    async with (
        commands.running("tail", "--as", "bob") as tail,
        commands.running("tail", "--as", "bob", "--json") as json_tail,
    ):
        sent = 0
        while not (tail.printed and json_tail.printed):  # what is sent before they are online is old
            sent += 1
            await post(commands, str(sent))
            await asyncio.sleep(0.1)
        await tail.until(lambda tail: tail.printed[-1].endswith(f" alice: {sent}"))
        await json_tail.until(lambda tail: json.loads(tail.printed[-1])["body"] == str(sent))
    assert "old" not in tail.printed[0]
    assert tail.printed[0].startswith("[alice] ")
    assert [json.loads(line)["room"] for line in json_tail.printed] == [ROOM] * len(json_tail.printed)


async def test_group_is_followed_by_id_until_the_user_is_removed(commands: CommandLine) -> None:
    async def ask(method: str, path: str, body: object) -> dict[str, Any]:
        session = SessionFile.of(commands.url, "alice").read()
        assert session
        headers = {"Authorization": f"Bearer {session.access_token}"}
        async with http.request(method, f"{commands.url}/api/v1{path}", json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return dict(await answer.json())

    async with aiohttp.ClientSession() as http:
        group = {"kind": "group", "title": "Team", "members": ["bob"], "key": "team"}
        room = (await ask("POST", "/rooms", group))["room"]
        path = f"/rooms/{room}"
        async with (
            commands.running("tail", room, "-n", "200", "--as", "bob") as tail,
            commands.running("tail", "--as", "bob") as all_,
        ):
            sent = 0
            while not (tail.printed and all_.printed):  # what is sent before they are online is not shown by both
                sent += 1
                await ask("POST", f"{path}/messages", {"body": str(sent), "key": f"message-{sent}"})
                await asyncio.sleep(0.1)
            for running_tail in (tail, all_):
                await running_tail.until(lambda tail: tail.printed[-1].endswith(f" alice: {sent}"))
            await ask("DELETE", f"{path}/members/bob", None)
            code, printed, complaints = await tail.ended()
    assert all(line.startswith("[Team] ") for line in all_.printed)
    assert without_times(printed[:sent]) == [f"alice: {number}" for number in range(1, sent + 1)]
    assert (code, complaints) == (1, [f"chatcore: You are not in {room} any more."])


async def test_tail_whose_reader_has_gone_ends_quietly(commands: CommandLine) -> None:
    await post(commands, "one", "two")
    process = await asyncio.create_subprocess_shell(
        f"{CHATCORE} tail bob --as alice | head -n 1; echo ${{PIPESTATUS[0]}}",
        executable="/bin/bash",
        env=commands.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    printed, complained = await process.communicate()
    line, code = printed.decode().splitlines()
    assert (without_times([line]), code, complained) == (["alice: one"], "0", b"")


async def test_session_that_was_ended_elsewhere_ends_tail(commands: CommandLine) -> None:
    async with commands.running("tail", "alice", "--as", "bob") as tail:
        await post(commands, "hi")
        await tail.until(lambda tail: tail.printed)
        assert (await commands.run("logout", "--as", "bob"))[0] == 0
        code, _, (line,) = await tail.ended()
    assert code == 2
    assert line == f"chatcore: The session of bob at {commands.url} was closed (signed_out)."


async def test_tokens_are_refreshed_by_all_commands_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each access token lives for a second, so the processes refresh all the time, at the same time."""
    await make_accounts(tmp_path, ["alice", "bob"])
    async with served(tmp_path, monkeypatch, access_token_s=1) as commands:
        first = SessionFile.of(commands.url, "bob").read()
        async with (
            commands.running("tail", "alice", "--as", "bob") as one,
            commands.running("tail", "alice", "--as", "bob") as other,
        ):
            for number in range(2):
                assert await commands.run("send", "alice", str(number), "--as", "bob") == (0, [], [])
            for tail in (one, other):
                await tail.until(lambda tail: len(tail.printed) == 2)
                assert without_times(tail.printed) == ["bob: 0", "bob: 1"]
        last = SessionFile.of(commands.url, "bob").read()
        assert first
        assert last
        assert int(last.refresh_token.split(".")[1]) > int(first.refresh_token.split(".")[1]) + 1


async def test_messages_without_a_server_are_kept_and_sent_once_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_accounts(tmp_path, ["alice", "bob"])
    async with served(tmp_path, monkeypatch) as commands:
        port = int(commands.url.rpartition(":")[2])
    outbox = outbox_of(commands)
    kept = "1 message is kept, and will go with the next send or chat."
    line = f"chatcore: There is no answer within 0 s. {kept}"
    assert await commands.run("send", "bob", "0", "--wait", "0", "--as", "alice") == (75, [], [line])

    async with commands.running("send", "bob", "--as", "alice") as killed:
        await killed.types("1", "2")
        await killed.until(lambda _: outbox.read_text().count('{"put"') == 3)
        await killed.stop(signal.SIGKILL)
    async with commands.running("send", "bob", "--as", "alice") as interrupted:
        await interrupted.types("3")
        await interrupted.until(lambda sending: sending.complained)  # it says that it is offline
        code, printed, complaints = await interrupted.stop(signal.SIGINT)
    assert (code, printed) == (130, [])
    assert complaints == [
        f"chatcore: offline; trying again. {commands.url} does not answer.",
        "chatcore: 4 messages are kept, and will go with the next send or chat.",
    ]
    async with served(tmp_path, monkeypatch, port):
        results = await asyncio.gather(*(commands.run("send", "bob", end, "--as", "alice") for end in ("a", "b")))
        assert results == [(0, [], [])] * 2
        *in_order, last, very_last = await bodies(commands)
        assert in_order == ["0", "1", "2", "3"]
        assert {last, very_last} == {"a", "b"}


async def test_tail_and_send_outlive_servers_that_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_accounts(tmp_path, ["alice", "bob"])
    port = 0
    async with asyncio.timeout(120):
        async with serving(tmp_path, "--limits", "off") as server:
            port = server.port
            commands = await signed_in(tmp_path, f"http://localhost:{port}", monkeypatch)
            sending = commands.running("send", "bob", "--as", "alice", "--json")
            following = commands.running("tail", "alice", "-n", "200", "--as", "bob", "--json")
            send, tail = await sending.__aenter__(), await following.__aenter__()
            await send.types(*map(str, range(100)))
            await tail.until(lambda tail: len(tail.printed) > 10)
        await send.types(*map(str, range(100, 150)))
        await tail.until(lambda tail: any("offline; trying again." in line for line in tail.complained))
        async with serving(tmp_path, "--limits", "off", port=port):
            send.ends_input()
            assert (await send.ended())[0] == 0
            await tail.until(lambda tail: len(tail.printed) == 150)
            code, printed, complaints = await tail.stop()
    await sending.__aexit__(None, None, None)
    await following.__aexit__(None, None, None)
    assert (code, complaints[-1]) == (130, "chatcore: online again")
    assert [json.loads(line)["body"] for line in printed] == list(map(str, range(150)))
    assert [json.loads(line)["seq"] for line in send.printed] == list(range(1, 151))


async def test_replaced_data_of_the_server_are_followed_from_what_is_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("first", "second"):
        await make_accounts(tmp_path / folder, ["alice", "bob"])
    async with served(tmp_path / "first", monkeypatch) as commands:
        port = int(commands.url.rpartition(":")[2])
        await post(commands, "one", "two")
        tailing = commands.running("tail", "alice", "--as", "bob")
        tail = await tailing.__aenter__()
        await tail.until(lambda tail: len(tail.printed) == 2)
    async with served(tmp_path / "second", monkeypatch, port) as again:
        await signed_in(tmp_path / "first", commands.url, monkeypatch)
        await post(again, "three")
        await tail.until(lambda tail: len(tail.printed) == 3)
    await tailing.__aexit__(None, None, None)
    assert without_times(tail.printed) == ["alice: one", "alice: two", "alice: three"]
    assert "chatcore: The server's data was replaced; what was not read comes next." in tail.complained


@pytest.mark.parametrize("missing", ["aiohttp", "socketio"])
def test_missing_extra_is_one_line(missing: str, tmp_path: Path) -> None:
    code = f"""
import sys

sys.modules[{missing!r}] = None
sys.argv = ["chatcore", "tail", "--as", "alice"]
from chatcore_server.console import main

sys.exit(main())
"""
    commands = CommandLine(tmp_path, "http://localhost:1")
    session = Session(url=commands.url, user="alice", access_token="a", refresh_token="r", good_until=0.0)
    folder = tmp_path / "chatcore"
    folder.mkdir()
    (folder / "alice.session").write_text(json.dumps(attrs.asdict(session)))
    (folder / "alice.session").chmod(0o600)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=commands.environment(), capture_output=True, text=True, check=False
    )
    line = f"chatcore: this command needs {missing}. In a clone of chatcore: pip install '.[server]'\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", line)
