"""The first start of `chatcore serve`, and its restarts."""

import stat
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.integration.command_line import CommandLine
from tests.integration.serving import CHATCORE, launch, serving

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_start_message_has_address_and_working_command(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.until(lambda server: len(server.printed) == 4)
        assert server.printed[0] == f"chatcore 0.1.0 listens on {server.url}"
        assert str(tmp_path / "chatcore-data") in server.printed[1]
        assert f"{server.url}/ " in server.printed[2]
        program, *arguments = server.printed[3].split()
        assert program in ("chatcore", str(CHATCORE))
        ended = await CommandLine(tmp_path, "http://localhost:1").run(*arguments, typed=PASSWORD)
        assert ended == (0, [f"alice is signed in at http://localhost:{server.port}."], [])


async def test_messages_and_sessions_survive_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, ClientSession() as client:
        port = server.port
        api = f"{server.url}/api/v1"
        await client.post(f"{api}/accounts", json={"user": "alice", "password": PASSWORD})
        async with client.post(f"{api}/sessions", json={"user": "alice", "password": PASSWORD}) as answer:
            bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        await client.post(f"{api}/users/alice/messages", json={"key": "k", "body": "a note"}, headers=bearer)
        assert await server.stop() == 0
    async with (
        serving(tmp_path, port=port),
        ClientSession() as client,
        client.get(f"{api}/users/alice/entries", headers=bearer) as answer,
    ):
        assert [entry["body"] for entry in (await answer.json())["entries"]] == ["a note"]


async def test_in_memory_server_writes_no_file_and_keeps_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server, ClientSession() as client:
        await server.until(lambda server: "in memory" in "".join(server.printed))
        account = {"user": "alice", "password": PASSWORD}
        await client.post(f"{server.url}/api/v1/accounts", json=account)
        async with client.post(f"{server.url}/api/v1/sessions", json=account) as answer:
            bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        assert not names(tmp_path)
    async with (
        serving(tmp_path, "--store", "memory") as server,
        ClientSession() as client,
        client.get(f"{server.url}/api/v1/rooms", headers=bearer) as answer,
    ):
        assert answer.status == 401


async def test_data_files_are_readable_by_their_user_only(tmp_path: Path) -> None:
    async with serving(tmp_path):
        folder = tmp_path / "chatcore-data"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes.pop("chatcore-data") == 0o700
    assert set(modes) >= {"secret", "chatcore.sqlite3", "lock"}
    assert set(modes.values()) == {0o600}


async def test_server_reports_alive_and_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, ClientSession() as client:
        for path, word in [("/healthz", "alive"), ("/readyz", "ready")]:
            async with client.get(server.url + path) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": word})
            async with client.post(server.url + path) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_requests_leave_no_log_line(tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server, ClientSession() as client:
        for path in ("/", "/healthz", "/nonsense", "/api/v1/rooms"):
            async with client.get(server.url + path):
                pass
        await server.stop()
        assert [event["event"] for event in server.events] == ["stopping; a second signal stops it at once", "stopped"]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("serve", "--help")])
async def test_help_is_printed_with_any_settings(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHATCORE_PORT=x\n")
    command = await launch(tmp_path, *arguments, environment={"CHATCORE_STORE": "x"})
    assert await command.ended() == 0
    text = " ".join("\n".join(command.printed).replace("│", " ").split())
    assert ("env var: CHATCORE_ACCESS_TOKEN_S" in text) is (arguments == ("serve", "--help"))
    assert not command.logged


async def test_version_is_that_of_package(tmp_path: Path) -> None:
    command = await launch(tmp_path, "--version")
    assert await command.ended() == 0
    assert command.printed == ["0.1.0"]
