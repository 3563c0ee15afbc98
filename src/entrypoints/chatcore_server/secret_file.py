"""The secret that signs tokens, kept beside the data that it belongs to."""

import logging
import os
import secrets
import stat
from pathlib import Path

from chatcore.errors import StoreError

from .values import SECRET_MIN

NAME = "secret"
MADE_OF = 48
"""Random bytes of a secret that is made here: 64 characters."""

log = logging.getLogger(__name__)


def kept_secret(folder: Path) -> bytes:
    """The secret in ``folder``; both are made where they are missing, the folder with mode 0700, the file with 0600.

    Raises `StoreError` where that is impossible, or the file is too short or open to everybody.
    """
    _make_folder(folder)
    path = folder / NAME
    try:
        if not path.exists():
            _make(path)
        found = path.read_bytes().rstrip(b"\r\n")
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise StoreError(f"The secret {path} can't be read or made: {error.strerror}.") from error
    _check(path, found, mode)
    return found


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The data folder {folder} can't be made: {error.strerror}; choose another.") from error


def _check(path: Path, found: bytes, mode: int) -> None:
    if len(found) < SECRET_MIN:
        raise StoreError(
            f"The secret {path} has {len(found)} bytes, fewer than {SECRET_MIN}: bring it back, or remove it and "
            "everybody signs in again."
        )
    if mode & 0o007:
        raise StoreError(f"The secret {path} is open to every user of this machine: `chmod 600` it, or make a new one.")
    if mode & 0o070:
        log.warning("The secret %s is open to its group; `chmod 600` it unless that is meant.", path)


def _make(path: Path) -> None:
    """Never half a secret: it is complete and on the disk before it has its name. Who comes second leaves the first."""
    draft = path.with_name(f".{NAME}-{secrets.token_hex(8)}")
    try:
        _write(draft, secrets.token_urlsafe(MADE_OF).encode() + b"\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(file, 0o600)
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
