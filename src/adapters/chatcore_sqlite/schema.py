"""The database's tables, as a numbered list of migrations, and the check that a file is chatcore's."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from chatcore.domain.names import search_form, title_form
from chatcore.errors import StoreError

APPLICATION_ID = 0x63686174  # "chat"

ROOMS = """
CREATE TABLE store (epoch TEXT NOT NULL) STRICT;
INSERT INTO store VALUES (lower(hex(randomblob(16))));

CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    room TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    title TEXT,
    head INTEGER NOT NULL,
    at INTEGER NOT NULL,            -- of the entry at head; milliseconds since 1970, UTC
    members_count INTEGER NOT NULL  -- whose standing is "member"
) STRICT;

CREATE TABLE entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out again
    room INTEGER NOT NULL,                       -- rooms.id
    seq INTEGER NOT NULL,
    author TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    digest TEXT,
    kind TEXT NOT NULL,
    event TEXT NOT NULL,  -- JSON: chatcore.domain.serialization
    opens TEXT,           -- JSON: chatcore.domain.serialization
    affects TEXT          -- JSON: a list of users; NULL instead of an empty one
) STRICT;
CREATE UNIQUE INDEX entries_by_seq ON entries (room, seq);
CREATE UNIQUE INDEX entries_by_key ON entries (room, author, key);

-- Views of the log, kept in the transaction that writes to it.
CREATE TABLE members (
    room INTEGER NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    since INTEGER NOT NULL,
    standing TEXT NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user, room);

CREATE TABLE markers (
    room INTEGER NOT NULL,
    user TEXT NOT NULL,
    read INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
"""

ACCOUNTS = """
CREATE TABLE accounts (
    user TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    name TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    device TEXT NOT NULL,
    generation INTEGER NOT NULL,
    spent_at TEXT NOT NULL,    -- JSON: when the newest generations before this one were spent, the last one last
    ends_at INTEGER NOT NULL   -- both in milliseconds since 1970, UTC
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (ends_at);
"""

PRESENT = """
ALTER TABLE store ADD COLUMN views INTEGER NOT NULL DEFAULT 0;   -- see chatcore_sqlite.view_rebuild
ALTER TABLE store ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;  -- the position up to which a rebuild has come

ALTER TABLE markers ADD COLUMN unread_from INTEGER;
ALTER TABLE markers ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;

CREATE INDEX entries_of_messages ON entries (room, seq) WHERE kind = 'message';
CREATE INDEX entries_of_edits ON entries (room, json_extract(event, '$.target'), seq) WHERE kind = 'edited';

-- Views: messages that may be unread, edits and reactions. They hold no text.
CREATE TABLE messages (     -- that are not deleted
    room INTEGER NOT NULL,
    run INTEGER NOT NULL,   -- seq of the first of the messages that an author wrote without another in between
    seq INTEGER NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (room, run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE edits (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    seq INTEGER NOT NULL,   -- of the last "edited" entry of the message
    PRIMARY KEY (room, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE reactors (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    user TEXT NOT NULL,
    seq INTEGER NOT NULL,   -- of the "reacted" entry
    PRIMARY KEY (room, target, emoji, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX reactors_in_order ON reactors (room, target, emoji, seq, user);

CREATE TABLE reactions (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    since INTEGER NOT NULL,  -- seq of the "reacted" entry that brought it
    count INTEGER NOT NULL,
    users TEXT NOT NULL,     -- JSON: the first 20 in the order in which they reacted
    PRIMARY KEY (room, target, emoji)
) STRICT, WITHOUT ROWID;
"""

PROBES = """
CREATE TABLE probes (id INTEGER PRIMARY KEY, space BLOB NOT NULL) STRICT;  -- empty after every transaction
"""

LISTED = """
CREATE INDEX members_listed ON members (room, user) WHERE standing != 'banned';
"""

BLOCKS = """
CREATE TABLE blocks (
    position INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out again
    user TEXT NOT NULL,
    blocked TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocks_by_user ON blocks (user, blocked);
"""

NAMES = """
CREATE TABLE account_names (
    form TEXT NOT NULL,  -- of the user id or of the name: chatcore.domain.names
    user TEXT NOT NULL,
    PRIMARY KEY (form, user)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO account_names SELECT search_form(user), user FROM accounts;
INSERT OR IGNORE INTO account_names SELECT search_form(name), user FROM accounts WHERE name IS NOT NULL;
"""

TITLES = """
ALTER TABLE rooms ADD COLUMN form TEXT;  -- of the title of a public room with members: chatcore.domain.names
UPDATE rooms SET form = title_form(ifnull(title, '')) WHERE kind = 'public' AND members_count > 0;
CREATE INDEX rooms_by_title ON rooms (form, room) WHERE form IS NOT NULL;
"""

LAST_SEEN = """
CREATE TABLE last_seen (
    user TEXT PRIMARY KEY,
    at INTEGER NOT NULL  -- milliseconds since 1970, UTC
) STRICT, WITHOUT ROWID;
"""


@frozen
class Migration:
    """One step, and its description for the operator."""

    description: str
    script: str


MIGRATIONS: Sequence[Migration] = (
    Migration("make the tables of rooms, their logs, accounts and sessions", ROOMS + ACCOUNTS),
    Migration("make the views of messages in their present state", PRESENT),
    Migration("make the table that checks of free space write to", PROBES),
    Migration("index the members of each room that its list shows", LISTED),
    Migration("make the table of blocked users", BLOCKS),
    Migration("make the table by which users are found", NAMES),
    Migration("index the public rooms by their titles", TITLES),
    Migration("make the table of when users were last seen", LAST_SEEN),
)
"""Step n brings a file from version n - 1 to version n. Released steps never change; new ones follow them."""


Announce: TypeAlias = Callable[[int, int, str], None]
"""Called before each migration with its number, the number of migrations, and its description."""


def migrate(
    connection: sqlite3.Connection,
    file: Path,
    announce: Announce = lambda number, count, description: None,
    *,
    dry_run: bool = False,
) -> None:
    """Bring the database to the version of this code. Raises `StoreError` for a file that is not chatcore's."""
    try:
        version = _version(connection, file)
        for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
            announce(number, len(MIGRATIONS), migration.description)
            if not dry_run:
                _apply(connection, number, migration.script)
    except sqlite3.Error as error:
        raise StoreError(f"{file} can't be opened: {error}.") from error


def _version(connection: sqlite3.Connection, file: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not (empty and version == 0):
        raise StoreError(f"{file} is another program's database, not chatcore's.")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{file} was written by a newer chatcore (its version is {version}, this program knows up to "
            f"{len(MIGRATIONS)}); run that one, or restore a backup."
        )
    return version


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    for form in (search_form, title_form):
        connection.create_function(form.__name__, 1, form, deterministic=True)
    pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} {pragmas} COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
