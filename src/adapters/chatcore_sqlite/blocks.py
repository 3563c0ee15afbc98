"""Writes of the blocks of users."""

import sqlite3

from chatcore.domain.blocks import TOO_MANY
from chatcore.errors import Conflict
from chatcore.ids import UserId

from . import statements


def block(connection: sqlite3.Connection, user: UserId, other: UserId, limit: int) -> None:
    """Make a block, as `Blocks.block` says."""
    if connection.execute(statements.BLOCK, (user, other)).fetchone():
        return
    if connection.execute(statements.BLOCKS_COUNT, (user,)).fetchone()[0] >= limit:
        raise Conflict(TOO_MANY)
    connection.execute(statements.ADD_BLOCK, (user, other))


def unblock(connection: sqlite3.Connection, user: UserId, other: UserId) -> None:
    """End a block, as `Blocks.unblock` says."""
    connection.execute(statements.DROP_BLOCK, (user, other))
