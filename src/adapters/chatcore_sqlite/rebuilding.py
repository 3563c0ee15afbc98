"""Making the views anew out of the log, in transactions that are bounded.

Until all of it is done, `store.views` says so: nobody reads or writes rooms meanwhile, and whoever opens the database
after a crash goes on where it ended.
"""

import sqlite3

from chatcore.errors import Unavailable

from . import statements
from .folding import fold
from .rows import RoomRow, read_entry

RIGHT = 1
"""What `store.views` is when they are there. Another number for views that are folded in another way."""
FOLDING = -1
"""The views are empty, or right up to the position in `store.folded`; any other number: they are to be emptied."""

STEP = 500
"""Rows that one transaction deletes, and entries that it folds."""

TABLES = {
    "members": "room, user",
    "messages": "room, run, seq",
    "edits": "room, target",
    "reactors": "room, target, emoji, user",
    "reactions": "room, target, emoji",
}
"""The views, with what identifies their rows. What `rooms` has beside id and name is a view too."""


def check(connection: sqlite3.Connection) -> None:
    """Raises `Unavailable` while the views are being rebuilt."""
    if connection.execute(statements.VIEWS).fetchone()[0] != RIGHT:
        raise Unavailable("The views are being rebuilt.")


def begin(connection: sqlite3.Connection) -> None:
    """From now on the views are wrong."""
    connection.execute(statements.SET_VIEWS, (0, 0))


def step(connection: sqlite3.Connection) -> bool:
    """Do a bounded part of the work; whether there was any left."""
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
    for room, its_rows in rooms.items():
        found = RoomRow(*connection.execute(statements.ROOM_BY_ID, (room,)).fetchone())
        fold(connection, found, [read_entry(found.room, row) for row in its_rows])
    if rows:
        connection.execute(statements.SET_VIEWS, (FOLDING, rows[-1][0]))
    else:
        connection.execute(statements.SET_VIEWS, (RIGHT, 0))
