"""Functions that turn the text of a setting into its value.

Each of them raises ValueError for a wrong text. The message continues a sentence that begins with the setting's name,
and never quotes the text, which may be a secret.
"""

from pathlib import Path

from chatcore.domain.state import MEMBERS_MAX

SECRET_MIN = 32
"""Bytes of a secret."""
PORT_MAX = 65_535
SOCKETS_MAX = 1_000_000
TOKEN_S_MAX = 24 * 60 * 60
MONGODB = ("mongodb://", "mongodb+srv://")


def text(raw: str) -> str:
    if not raw.strip():
        raise ValueError("is empty")
    if not raw.isprintable():
        raise ValueError("holds a character that can't be printed")
    return raw


def path(raw: str) -> Path:
    return Path(text(raw)).expanduser()


def port(raw: str) -> int:
    return _integer(raw, 0, PORT_MAX)


def access_token_s(raw: str) -> int:
    return _integer(raw, 1, TOKEN_S_MAX)


def room_members_max(raw: str) -> int:
    return _integer(raw, 2, MEMBERS_MAX)


def store(raw: str) -> str:
    """Return ``sqlite``, ``memory``, or the address of a MongoDB database, which may contain a password."""
    if raw.startswith(MONGODB):
        return text(raw)
    return _one_of(raw, "sqlite", "memory", also="mongodb://…")


def sockets_per_address(raw: str) -> int:
    return _integer(raw, 1, SOCKETS_MAX)


def signup(raw: str) -> str:
    return _one_of(raw, "open", "closed")


def presence(raw: str) -> str:
    return _one_of(raw, "on", "off")


def limits(raw: str) -> str:
    return _one_of(raw, "on", "off")


def secret(raw: str) -> bytes:
    value = raw.encode(errors="surrogateescape")  # the bytes of the environment
    if len(value) < SECRET_MIN:
        raise ValueError(f"has {len(value)} bytes; a secret has at least {SECRET_MIN}")
    return value


def _integer(raw: str, minimum: int, maximum: int) -> int:
    is_plain = raw.isascii() and raw.isdigit() and len(raw) <= len(str(maximum))
    if not is_plain or not minimum <= int(raw) <= maximum:
        raise ValueError(f"must be a whole number from {minimum} to {maximum}")
    return int(raw)


def _one_of(raw: str, *choices: str, also: str | None = None) -> str:
    """Return ``raw`` if it is one of ``choices``. The error also names ``also``, a form that the caller accepts."""
    if raw not in choices:
        raise ValueError(f"must be one of: {', '.join(choices + ((also,) if also else ()))}")
    return raw
