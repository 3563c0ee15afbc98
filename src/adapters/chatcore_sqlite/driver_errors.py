"""The translation of SQLite's errors to those of the domain."""

import sqlite3

from chatcore.errors import Unavailable

WITH_USABLE_CONNECTION = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""Result codes after which the connection stays usable: another one has the lock, or there is no space."""

TEMPORARY = WITH_USABLE_CONNECTION | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""Primary result codes that do not depend on the statement: the statement may succeed later."""


def is_temporary(error: BaseException) -> bool:
    return _code(error) in TEMPORARY


def breaks_connection(error: BaseException) -> bool:
    """Return whether a new connection may succeed where this one has failed."""
    return _code(error) in TEMPORARY - WITH_USABLE_CONNECTION


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
