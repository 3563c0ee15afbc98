"""The translation of SQLite's errors to those of the domain."""

import sqlite3

from chatcore.errors import Unavailable

LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Result codes while another connection has the database locked. This connection stays usable."""

TEMPORARY = LOCKED | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""Primary result codes that do not depend on the statement: the statement may succeed later."""


def is_temporary(error: BaseException) -> bool:
    return _code(error) in TEMPORARY


def is_locked(error: BaseException) -> bool:
    return _code(error) in LOCKED


def is_io(error: BaseException) -> bool:
    return _code(error) == sqlite3.SQLITE_IOERR


def translated(error: BaseException) -> BaseException:
    """Return `Unavailable` for a temporary error, with the error as its cause, and any other error unchanged."""
    if not is_temporary(error):
        return error
    unavailable = Unavailable()
    unavailable.__cause__ = error
    return unavailable


def _code(error: BaseException) -> int | None:
    """Return the primary result code of an error of SQLite; None for any other error."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF
