"""Messages in their present state, and which of them are unread. Everything here runs on one snapshot."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from chatcore.domain import message_projection
from chatcore.domain.entries import Entry, Message, Reaction
from chatcore.domain.message_projection import LastEdit
from chatcore.ids import Seq, UserId
from chatcore.ports.entry_log import FirstUnread

from . import statements
from .rows import RoomRow, read_edit

SEQ_MAX = 2**63 - 1
WALKED = 128
"""Rows that are read at once in search of unread messages."""


def present(connection: sqlite3.Connection, room: RoomRow, user: UserId, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Entries, which ascend, with the messages among them as they are by now."""
    seqs = [entry.seq for entry in entries if isinstance(entry.event, Message)]
    if not seqs:
        return entries
    edits = _edits(connection, room, seqs[0], seqs[-1])
    reactions = _reactions(connection, room, user, seqs[0], seqs[-1])
    return [message_projection.present(entry, edits.get(entry.seq), reactions.get(entry.seq, {})) for entry in entries]


def _edits(connection: sqlite3.Connection, room: RoomRow, first: Seq, last: Seq) -> Mapping[Seq, LastEdit]:
    rows = connection.execute(statements.EDITS_BETWEEN, (room.id, first, last))
    return {target: read_edit(at, event) for target, at, event in rows}


def _reactions(
    connection: sqlite3.Connection, room: RoomRow, user: UserId, first: Seq, last: Seq
) -> Mapping[Seq, Mapping[str, Reaction]]:
    values = {"room": room.id, "user": user, "first": first, "last": last}
    found: dict[Seq, dict[str, Reaction]] = defaultdict(dict)
    for target, emoji, count, users, mine in connection.execute(statements.REACTIONS_BETWEEN, values):
        found[target][emoji] = Reaction(count=count, users=json.loads(users), mine=bool(mine))
    return found


def unread(connection: sqlite3.Connection, room: RoomRow, start: FirstUnread) -> Iterator[Seq]:
    """The seqs of the unread messages, ascending. Long runs of the user's own messages are leapt over."""
    below = connection.execute(statements.RUN_AT, (room.id, start.read)).fetchone()
    run, seq = (below[0] if below else 0), start.read
    while True:
        rows = connection.execute(statements.UNREAD_FROM, (room.id, run, seq, WALKED)).fetchall()
        yield from (seq for _, seq, author in rows if author != start.user)
        if len(rows) < WALKED:
            return
        run, seq, author = rows[-1]
        if author == start.user:
            seq = SEQ_MAX
