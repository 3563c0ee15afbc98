"""A server that can't start prints the reason in one line, and ends with 2."""

import asyncio
import socket
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chatcore_server.errors import SettingsError
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from tests.integration.serving import TIMEOUT_S, launch, serving

pytestmark = pytest.mark.anyio

DATA = "chatcore-data"
SECRET = "a secret of the tests, of 32 bytes or more"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def refusal(folder: Path, *flags: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the only line that the server prints before it ends."""
    flags = flags if "--port" in flags else (*flags, "--port", "0")
    command = await launch(folder, "serve", *flags, environment=environment)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            assert await command.ended() == 2, command.log
    finally:
        await command.kill()
    assert not command.printed
    (line,) = command.logged
    return line.removeprefix("chatcore: ")


async def test_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = await refusal(tmp_path, "--port", str(port))
        assert line == (
            f"--port (CHATCORE_PORT): port {port} at 127.0.0.1 is in use; stop the program that uses it, or choose "
            "another port."
        )
    assert not (tmp_path / DATA).exists()


async def test_address_of_other_machine_is_refused(tmp_path: Path) -> None:
    line = await refusal(tmp_path, "--host=203.0.113.1", "--store", "memory")
    assert line.startswith("--host (CHATCORE_HOST) ")
    assert "no address of this machine" in line


@pytest.mark.parametrize("host", ["host.invalid", "a b", "-", "1.2.3.4.5", "x" * 300])
async def test_malformed_address_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^--host \(CHATCORE_HOST\) is no address of this machine"):
        async with running(Settings(host=host, port=0, store="memory")):
            pass


async def test_data_folder_of_other_server_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = await refusal(tmp_path)
        assert str(server.process.pid) in line
        assert "stop that one, choose another folder, or use MongoDB" in line


def newer(folder: Path) -> None:
    with sqlite3.connect(folder / "chatcore.sqlite3") as database:
        database.execute(f"PRAGMA application_id = {0x63686174}")
        database.execute("PRAGMA user_version = 9999")
    database.close()


def anothers(folder: Path) -> None:
    with sqlite3.connect(folder / "chatcore.sqlite3") as database:
        database.execute("CREATE TABLE other (x)")
    database.close()


def no_database(folder: Path) -> None:
    (folder / "chatcore.sqlite3").write_bytes(b"this is not a database" * 100)


def short_secret(folder: Path) -> None:
    (folder / "secret").write_text("x" * 31 + "\n")
    (folder / "secret").chmod(0o600)


def open_secret(folder: Path) -> None:
    (folder / "secret").write_text("x" * 64)
    (folder / "secret").chmod(0o604)


def secret_folder(folder: Path) -> None:
    (folder / "secret").mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (newer, "written by a newer chatcore"),
        (anothers, "another program's database"),
        (no_database, "can't be opened: file is not a database"),
        (short_secret, "has 31 bytes, fewer than 32"),
        (open_secret, "is open to every user of this machine"),
        (secret_folder, "can't be read or made: Is a directory"),
    ],
)
async def test_invalid_data_folder_is_refused(spoil: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    (tmp_path / DATA).mkdir()
    spoil(tmp_path / DATA)
    line = await refusal(tmp_path)
    assert line.startswith("--data-dir (CHATCORE_DATA_DIR): ")
    assert why in line


async def test_data_folder_that_is_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATA).write_text("x")
    for environment in ({}, {"CHATCORE_SECRET": SECRET}):
        line = await refusal(tmp_path, environment=environment)
        assert f"{DATA} can't be made: File exists; choose another." in line


@pytest.mark.parametrize("folder", ["/proc/chatcore", "/dev/null", "/dev/null/chatcore"])
@pytest.mark.parametrize("environment", [{}, {"CHATCORE_SECRET": SECRET}], ids=["secret made", "secret given"])
async def test_data_folder_that_can_not_be_created_is_refused(
    folder: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    line = await refusal(tmp_path, "--data-dir", folder, environment=environment)
    assert f"The data folder {folder} can't be made: " in line
