"""The secret that a server creates at its first start."""

import os
import stat
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatcore.errors import StoreError
from chatcore_server.secret_file import load_or_create_secret


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made" / "data"


@pytest.fixture
def umask() -> Generator[None]:
    """An umask that removes no permission."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_secret_is_created_once_and_readable_by_its_user_only(folder: Path) -> None:
    secret = load_or_create_secret(folder)
    assert len(secret) >= 32
    assert (mode(folder), mode(folder / "secret")) == (0o700, 0o600)
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert load_or_create_secret(folder) == secret


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a") != load_or_create_secret(tmp_path / "b")


def test_simultaneous_starts_have_one_secret(folder: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(load_or_create_secret, [folder] * 64))
    assert len(secrets) == 1
    assert [path.name for path in folder.iterdir()] == ["secret"]


@pytest.mark.parametrize("broken", ["write", "fsync", "link"])
def test_secret_that_can_not_be_written_whole_leaves_no_file(
    broken: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, broken, fail)
        with pytest.raises(StoreError, match="can't be read or made: No space left on device"):
            load_or_create_secret(folder)
    assert not list(folder.iterdir())
    assert load_or_create_secret(folder) == load_or_create_secret(folder)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_own_secret_is_taken_without_line_end(end: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "secret").write_text(f" {'é' * 16}{end}", encoding="utf-8", newline="")
    (folder / "secret").chmod(0o600)
    assert load_or_create_secret(folder) == b" " + "é".encode() * 16


def test_secret_readable_by_group_is_taken_with_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = load_or_create_secret(folder)
    (folder / "secret").chmod(0o640)
    assert load_or_create_secret(folder) == secret
    assert "is open to its group" in caplog.text
    assert secret.decode() not in caplog.text


@pytest.mark.parametrize("bits", [0o604, 0o602, 0o666])
def test_secret_readable_or_writable_by_all_users_is_refused(bits: int, folder: Path) -> None:
    secret = load_or_create_secret(folder)
    (folder / "secret").chmod(bits)
    with pytest.raises(StoreError, match="is open to every user of this machine") as refused:
        load_or_create_secret(folder)
    assert secret.decode() not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\n", "x" * 31, "x" * 31 + "\n"])
def test_too_short_secret_is_refused_and_kept(content: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "secret").write_text(content)
    (folder / "secret").chmod(0o600)
    with pytest.raises(StoreError, match="fewer than 32"):
        load_or_create_secret(folder)
    assert (folder / "secret").read_text() == content
