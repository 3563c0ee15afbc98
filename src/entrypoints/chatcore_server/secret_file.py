"""The secret that signs tokens, in a file of the data folder."""

import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from chatcore.errors import StoreError

from .converters import SECRET_MIN

NAME = "secret"
RANDOM_BYTES = 48
"""Random bytes of a new secret. Its file has them in base64: 64 characters."""

log: Final = logging.getLogger(__name__)


def load_or_create_secret(folder: Path) -> bytes:
    """Return the secret in ``folder``. A missing folder is created with mode 0700, a missing file with mode 0600.

    Raises:
        StoreError: the file cannot be read or created, is too short, or is open to every user.
    """
    _create_folder(folder)
    path = folder / NAME
    try:
        if not path.exists():
            _create(path)
        secret = path.read_bytes().rstrip(b"\r\n")
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise StoreError(f"The secret {path} can't be read or made: {error.strerror}.") from error
    _check(path, secret, mode)
    return secret


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The data folder {folder} can't be made: {error.strerror}; choose another.") from error


def _check(path: Path, secret: bytes, mode: int) -> None:
    if len(secret) < SECRET_MIN:
        raise StoreError(
            f"The secret {path} has {len(secret)} bytes, fewer than {SECRET_MIN}: restore it, or remove it; then all "
            "users have to sign in again."
        )
    if mode & 0o007:
        raise StoreError(f"The secret {path} is open to every user of this machine: `chmod 600` it, or make a new one.")
    if mode & 0o070:
        log.warning("secret is open to its group: file=%s. Unless that is intended, `chmod 600` it.", path)


def _create(path: Path) -> None:
    """Create the file, unless another process does it first.

    The secret is complete and on the disk before the file gets its name, so no process reads half a secret.
    """
    draft = path.with_name(f".{NAME}-{secrets.token_hex(8)}")
    try:
        _write(draft, secrets.token_urlsafe(RANDOM_BYTES).encode() + b"\n")
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
