"""What a setting's text must be.

Every function raises ValueError; its text goes on after the setting's name, and never shows what was given.
"""

from pathlib import Path

from chatcore.domain.state import MEMBERS_MAX

SECRET_MIN = 32
PORT_MAX = 65_535
SOCKETS_MAX = 1_000_000
TOKEN_S_MAX = 24 * 60 * 60
MONGODB = ("mongodb://", "mongodb+srv://")


def text(given: str) -> str:
    if not given.strip():
        raise ValueError("is empty")
    if not given.isprintable():
        raise ValueError("holds a character that can't be printed")
    return given


def folder(given: str) -> Path:
    return Path(text(given)).expanduser()


def port(given: str) -> int:
    return _integer(given, 0, PORT_MAX)


def access_token_s(given: str) -> int:
    return _integer(given, 1, TOKEN_S_MAX)


def room_members_max(given: str) -> int:
    return _integer(given, 2, MEMBERS_MAX)


def store(given: str) -> str:
    """``sqlite``, ``memory``, or the address of a MongoDB database, which may hold a password."""
    if given.startswith(MONGODB):
        return text(given)
    return _one_of(given, "sqlite", "memory", also="mongodb://…")


def sockets_per_address(given: str) -> int:
    return _integer(given, 1, SOCKETS_MAX)


def signup(given: str) -> str:
    return _one_of(given, "open", "closed")


def limits(given: str) -> str:
    return _one_of(given, "on", "off")


def secret(given: str) -> bytes:
    found = given.encode(errors="surrogateescape")  # as the environment has it
    if len(found) < SECRET_MIN:
        raise ValueError(f"has {len(found)} bytes; a secret has at least {SECRET_MIN}")
    return found


def _integer(given: str, least: int, most: int) -> int:
    plain = given.isascii() and given.isdigit() and len(given) <= len(str(most))
    if not plain or not least <= int(given) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(given)


def _one_of(given: str, *values: str, also: str | None = None) -> str:
    if given not in values:
        raise ValueError(f"must be one of: {', '.join(values + ((also,) if also else ()))}")
    return given
