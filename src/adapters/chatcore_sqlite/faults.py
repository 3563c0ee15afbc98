"""What SQLite's errors mean to the domain: the one table in which they are translated."""

import sqlite3

from chatcore.errors import Unavailable

LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Somebody else has the database; the connection itself is sound."""

TEMPORARY = LOCKED | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""Primary result codes that say nothing about what was asked: the same may succeed later."""


def is_temporary(error: BaseException) -> bool:
    return _code(error) in TEMPORARY


def is_locked(error: BaseException) -> bool:
    return _code(error) in LOCKED


def is_io(error: BaseException) -> bool:
    return _code(error) == sqlite3.SQLITE_IOERR


def translated(error: BaseException) -> BaseException:
    """`Unavailable` for a temporary fault, with the fault as its cause; any other error as it is."""
    if not is_temporary(error):
        return error
    unavailable = Unavailable()
    unavailable.__cause__ = error
    return unavailable


def _code(error: BaseException) -> int | None:
    """The primary result code of one of SQLite's errors, None for anything else."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF
