"""How a connection to the database is made."""

import sqlite3
from pathlib import Path

BUSY_S = 0.8
"""How long one attempt waits for a lock. Who comes while another attempt waits, waits twice: still below 2 s."""


WRITING = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "temp_store = MEMORY",  # no text in temporary files
    "foreign_keys = ON",
)


def writing(file: Path) -> sqlite3.Connection:
    """The connection that writes; there is never a second one. A missing file is a fault."""
    return _connect(file, *WRITING)


def reading(file: Path) -> sqlite3.Connection:
    """A connection that can't write. (With `mode=ro` it could not make the shared memory that WAL needs.)"""
    return _connect(file, "query_only = ON")


def _connect(file: Path, *pragmas: str) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        timeout=BUSY_S,
        check_same_thread=False,  # one at a time uses it; another may close it
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
