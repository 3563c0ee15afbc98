"""The rebuild of the views from the log, in bounded transactions.

`store.views` says whether the rebuild is complete. Until then rooms are neither read nor written. After a crash the
next opening continues the rebuild.
"""

import sqlite3

from chatcore.errors import Unavailable

from . import statements
from .log_writer import update_views
from .rows import RoomRow, read_entry

RIGHT = statements.VIEWS_RIGHT
FOLDING = -1
"""`store.views` while the log is applied: the views are right up to the position in `store.folded`.

Any other number than this and `RIGHT` means that the views must be emptied first.
"""

STEP = 500
"""Rows that one transaction deletes, or entries that it applies."""

TABLES = {
    "members": "room, user",
    "messages": "room, run, seq",
    "edits": "room, target",
    "reactors": "room, target, emoji, user",
    "reactions": "room, target, emoji",
}
"""The views and the keys of their rows. The columns of `rooms` other than id and name are views too."""


def check(connection: sqlite3.Connection) -> None:
    """Raise `Unavailable` while the views are being rebuilt."""
    if connection.execute(statements.VIEWS).fetchone()[0] != RIGHT:
        raise Unavailable("The views are being rebuilt.")


def begin(connection: sqlite3.Connection) -> None:
    """Mark the views as incomplete."""
    connection.execute(statements.SET_VIEWS, (0, 0))


def step(connection: sqlite3.Connection) -> bool:
    """Do a bounded part of the rebuild. Returns False if the rebuild was complete."""
    views, place = connection.execute(statements.VIEWS_FOLDED).fetchone()
    if views == RIGHT:
        return False
    if views == FOLDING:
        _fold_some(connection, place)
    else:
        _empty_some(connection, place)
    return True


def _empty_some(connection: sqlite3.Connection, room: int) -> None:
    for table, key in TABLES.items():
        rows = f"SELECT {key} FROM {table} LIMIT {STEP}"
        if connection.execute(f"DELETE FROM {table} WHERE ({key}) IN ({rows})").rowcount:
            return
    last: int | None = connection.execute(statements.LAST_ROOM_OF, (room, STEP)).fetchone()[0]
    if last is None:
        connection.execute(statements.SET_VIEWS, (FOLDING, 0))
    else:
        connection.execute(statements.UNFOLD_ROOMS, (room, last))
        connection.execute(statements.SET_VIEWS, (0, last))


def _fold_some(connection: sqlite3.Connection, position: int) -> None:
    rows = connection.execute(statements.LOG_FROM, (position, STEP)).fetchall()
    rooms: dict[int, list[tuple[object, ...]]] = {}
    for _, room, *row in rows:
        rooms.setdefault(room, []).append(tuple(row))
    for room, entries in rooms.items():
        room_row = RoomRow(*connection.execute(statements.ROOM_BY_ID, (room,)).fetchone())
        update_views(connection, room_row, [read_entry(room_row.room, row) for row in entries])
    if rows:
        connection.execute(statements.SET_VIEWS, (FOLDING, rows[-1][0]))
    else:
        connection.execute(statements.SET_VIEWS, (RIGHT, 0))
