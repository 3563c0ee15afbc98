"""Every statement that the store runs while it serves. A test checks the plan of each: none may scan a table."""

from chatcore.domain.entries import REACTION_USERS_MAX
from chatcore.domain.state import MARKERS_SHOWN_TO, UNREAD_MAX
from chatcore.ports.room_views import PUBLIC_ROOMS_LOOKED_AT

ENTRY = "seq, author, key, at, digest, kind, event, opens"
ROOM = "rooms.id, rooms.room, rooms.kind, rooms.title, rooms.head, rooms.at, rooms.members_count"

EPOCH = "SELECT epoch FROM store"

PROBE_SIZE = 128 * 1024
"""Bytes. The largest entry takes 98 KiB, and pages of the indexes and views."""
TAKE_SPACE = f"INSERT INTO probes (id, space) VALUES (1, zeroblob({PROBE_SIZE}))"
FREE_SPACE = "DELETE FROM probes WHERE id = 1"

# Writing the log.

CREATE_ROOM = "INSERT INTO rooms (room, kind, title, head, at, members_count) VALUES (?, ?, NULL, 0, 0, 0)"
WRITE_ENTRY = f"INSERT INTO entries (room, {ENTRY}, affects) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
HEAD_WRITTEN = "SELECT seq FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1"
REWRITE_ENTRY = "UPDATE entries SET digest = ?, event = ? WHERE room = ? AND seq = ?"

# Applying the log to its views.

MOVE_HEAD = "UPDATE rooms SET head = ?, at = ? WHERE id = ?"
CHANGE_ROOM = """
    UPDATE rooms SET kind = :kind, title = :title, members_count = members_count + :more,
    form = CASE WHEN members_count + :more > 0 THEN :form END WHERE id = :id
"""
SET_MEMBER = "INSERT OR REPLACE INTO members (room, user, role, since, standing) VALUES (?, ?, ?, ?, ?)"
DROP_MEMBER = "DELETE FROM members WHERE room = ? AND user = ?"
LAST_RUN = "SELECT run, author FROM messages WHERE room = ? ORDER BY run DESC LIMIT 1"
ADD_MESSAGE = "INSERT INTO messages (room, run, seq, author) VALUES (?, ?, ?, ?)"
DROP_MESSAGE = """
    DELETE FROM messages WHERE room = :room AND seq = :seq
    AND run = (SELECT run FROM messages WHERE room = :room AND run <= :seq ORDER BY run DESC LIMIT 1)
"""
SET_EDIT = "INSERT OR REPLACE INTO edits (room, target, seq) VALUES (?, ?, ?)"
ADD_REACTOR = """
    INSERT INTO reactors (room, target, emoji, user, seq) VALUES (:room, :target, :emoji, :user, :seq)
    ON CONFLICT DO NOTHING
"""
DROP_REACTOR = "DELETE FROM reactors WHERE room = :room AND target = :target AND emoji = :emoji AND user = :user"
ADD_REACTION = """
    INSERT INTO reactions (room, target, emoji, since, count, users) VALUES (:room, :target, :emoji, :seq, 0, '[]')
    ON CONFLICT DO NOTHING
"""
COUNT_REACTION = f"""
    UPDATE reactions SET count = count + :more, users = (
        SELECT json_group_array(user) FROM (
            SELECT user FROM reactors WHERE room = :room AND target = :target AND emoji = :emoji
            ORDER BY seq LIMIT {REACTION_USERS_MAX}
        )
    ) WHERE room = :room AND target = :target AND emoji = :emoji
"""
DROP_REACTION = """
    DELETE FROM reactions WHERE room = :room AND target = :target AND emoji = :emoji AND count = 0
"""
DROP_REACTORS_OF = "DELETE FROM reactors WHERE room = ? AND target = ?"
DROP_REACTIONS_OF = "DELETE FROM reactions WHERE room = ? AND target = ?"

# Writing messages of many rooms, with their views, by one statement.

VIEWS_RIGHT = 1
"""`store.views` of complete views. Views that are computed in another way get another number."""

MESSAGE_WRITER = f"""
    CREATE TEMP VIEW message_entries AS
        SELECT room, seq, author, key, at, digest, event FROM entries WHERE kind = 'message';
    CREATE TEMP TRIGGER write_message INSTEAD OF INSERT ON message_entries WHEN NEW.seq IS NOT NULL BEGIN
        UPDATE rooms SET head = NEW.seq, at = NEW.at
            WHERE id = NEW.room AND head = NEW.seq - 1 AND (SELECT views FROM store) = {VIEWS_RIGHT};
        SELECT RAISE(ABORT, 'the message does not follow the head of its room') WHERE changes() = 0;
        INSERT INTO entries (room, seq, author, key, at, digest, kind, event)
            VALUES (NEW.room, NEW.seq, NEW.author, NEW.key, NEW.at, NEW.digest, 'message', NEW.event);
        INSERT INTO messages (room, run, seq, author) SELECT NEW.room, ifnull((
            SELECT run FROM (SELECT run, author FROM messages WHERE room = NEW.room ORDER BY run DESC LIMIT 1)
            WHERE author = NEW.author
        ), NEW.seq), NEW.seq, NEW.author;
    END;
"""
"""Prepares a connection for `WRITE_MESSAGES`. The trigger writes a message to the log and its views, or refuses it."""

MESSAGE_COLUMNS = 7
MESSAGES_MAX = 256


def _messages_statement(count: int) -> str:
    values = ", ".join([f"({', '.join('?' * MESSAGE_COLUMNS)})"] * count)
    return f"""
        INSERT INTO message_entries (room, seq, author, key, at, digest, event)
        SELECT rooms.id, column2, column3, column4, column5, column6, column7
        FROM (VALUES {values}) LEFT JOIN rooms ON rooms.room = column1
    """


WRITE_MESSAGES = {count: _messages_statement(count) for count in (1, 4, 16, 64, MESSAGES_MAX)}
"""The statement for each number of messages. Rows of NULL, which it leaves out, fill up a smaller number.

It writes all of them or, with an IntegrityError, none: if a room has another head or a key is taken.
"""

# Markers, which are no view of the log.

SET_MARKER = """
    INSERT OR REPLACE INTO markers (room, user, read, delivered, unread_from, muted) VALUES (?, ?, ?, ?, ?, ?)
"""
MARKER = """
    SELECT read, delivered, unread_from, muted FROM markers JOIN members USING (room, user)
    WHERE room = ? AND user = ? AND standing = 'member'
"""

# Blocks, which are no view of the log.

ADD_BLOCK = "INSERT INTO blocks (user, blocked) VALUES (?, ?)"
DROP_BLOCK = "DELETE FROM blocks WHERE user = ? AND blocked = ?"
BLOCK = "SELECT user, blocked FROM blocks WHERE user = ? AND blocked = ?"
BLOCKS_COUNT = "SELECT count(*) FROM blocks WHERE user = ?"
BLOCKS_OF = "SELECT blocked FROM blocks WHERE user = ? ORDER BY blocked"
NEWEST_BLOCK = "SELECT coalesce(max(position), 0) FROM blocks"
NEW_BLOCKS = "SELECT position, user, blocked FROM blocks WHERE position > ? ORDER BY position"

# When users were last seen, which is no view of the log.

NOTE_LAST_SEEN = """
    INSERT INTO last_seen (user, at) VALUES (?, ?) ON CONFLICT (user) DO UPDATE SET at = max(at, excluded.at)
"""
LAST_SEEN = "SELECT at FROM last_seen WHERE user = ?"

# The users by the forms of their names.

ABOVE_TEXT = b""
"""A value that is above every text."""

ADD_NAME = "INSERT OR IGNORE INTO account_names (form, user) VALUES (?, ?)"
FIND = """
    SELECT accounts.user, accounts.name FROM account_names JOIN accounts ON accounts.user = account_names.user
    WHERE form >= ? AND form < ? ORDER BY form, account_names.user LIMIT ?
"""

# One room.

ROOM_NAMED = f"SELECT {ROOM} FROM rooms WHERE room = ?"
ROOM_BY_ID = f"SELECT {ROOM} FROM rooms WHERE id = ?"
MEMBER = "SELECT role, since, standing FROM members WHERE room = ? AND user = ?"
MEMBERS = "SELECT user, role, since, standing FROM members WHERE room = ?"
EVERYONE_ABOVE = f"{MEMBERS} AND user > ? ORDER BY user LIMIT ?"
MEMBERS_ABOVE = """
    SELECT user, role, since, standing FROM members INDEXED BY members_listed
    WHERE room = ? AND user > ? AND standing != 'banned' ORDER BY user LIMIT ?
"""

# Its log.

_ENTRIES = f"SELECT {ENTRY} FROM entries WHERE room = ?"
_MESSAGES = f"SELECT {ENTRY} FROM entries INDEXED BY entries_of_messages WHERE room = ? AND kind = 'message'"
ENTRY_AT = f"{_ENTRIES} AND seq = ?"
ENTRY_OF_KEY = f"{_ENTRIES} AND author = ? AND key = ?"
ENTRIES_ABOVE = f"{_ENTRIES} AND seq > ? ORDER BY seq LIMIT ?"
ENTRIES_BELOW = f"{_ENTRIES} AND seq < ? ORDER BY seq DESC LIMIT ?"
MESSAGES_ABOVE = f"{_MESSAGES} AND seq > ? ORDER BY seq LIMIT ?"
MESSAGES_BELOW = f"{_MESSAGES} AND seq < ? ORDER BY seq DESC LIMIT ?"
EDITS_OF = f"{_ENTRIES} AND kind = 'edited' AND json_extract(event, '$.target') = ?"

# Messages in their present state.

EDITS_BETWEEN = """
    SELECT edits.target, entries.at, entries.event
    FROM edits JOIN entries ON entries.room = edits.room AND entries.seq = edits.seq
    WHERE edits.room = ? AND edits.target BETWEEN ? AND ?
"""
REACTIONS_BETWEEN = """
    SELECT target, emoji, count, users, EXISTS (
        SELECT 1 FROM reactors WHERE reactors.room = reactions.room AND reactors.target = reactions.target
        AND reactors.emoji = reactions.emoji AND reactors.user = :user
    ) FROM reactions WHERE room = :room AND target BETWEEN :first AND :last ORDER BY target, since
"""
RUN_AT = "SELECT run FROM messages WHERE room = ? AND run <= ? ORDER BY run DESC LIMIT 1"
UNREAD_FROM = """
    SELECT run, seq, author FROM messages WHERE room = ? AND (run, seq) > (?, ?) ORDER BY run, seq LIMIT ?
"""

# Rooms as one user sees them. One row of JSON has all of them: for each row the thread gives up the interpreter's lock,
# and a busy event loop gives it back late.

UNREAD_SCAN = 128
"""Messages of a room that are counted together with its other columns. The user may have written most of them."""

_COUNTED_FROM = "min(markers.read, ifnull(markers.unread_from - 1, markers.read))"
_OTHERS = "count(nullif(author, :user))"
_UNREAD = f"""
    CASE WHEN {_COUNTED_FROM} < rooms.head THEN (
        SELECT CASE WHEN count(*) < {UNREAD_SCAN} OR {_OTHERS} >= {UNREAD_MAX} THEN min({_OTHERS}, {UNREAD_MAX}) END
        FROM (
            SELECT author FROM messages WHERE room = rooms.id AND (run, seq) > (ifnull((
                SELECT run FROM messages WHERE room = rooms.id AND run <= {_COUNTED_FROM} ORDER BY run DESC LIMIT 1
            ), 0), {_COUNTED_FROM}) ORDER BY run, seq LIMIT {UNREAD_SCAN}
        )
    ) ELSE 0 END
"""
"""The unread messages of a room; NULL if more than `UNREAD_SCAN` have to be read to know."""

_MARKERS = f"""
    CASE WHEN members_count <= {MARKERS_SHOWN_TO} THEN (
        SELECT json_group_array(json_array(user, shown.read, shown.delivered, shown.unread_from, shown.muted))
        FROM members JOIN markers AS shown USING (room, user) WHERE members.room = rooms.id AND standing = 'member'
    ) END
"""
_LAST = "last.seq, last.author, last.key, last.at, last.digest, last.kind, json(last.event), json(last.opens)"
_VIEW = f"""
    {ROOM}, mine.role, mine.since, mine.standing,
    markers.read, markers.delivered, markers.unread_from, markers.muted, {_UNREAD}, json({_MARKERS}), {_LAST}
"""
_VIEWS = f"json_group_array(json_array({_VIEW}))"
_PARTS = """
    JOIN entries AS last ON last.room = rooms.id AND last.seq = rooms.head
    LEFT JOIN members AS mine ON mine.room = rooms.id AND mine.user = :user
    LEFT JOIN markers ON markers.room = rooms.id AND markers.user = :user AND mine.standing = 'member'
"""
VIEWS_OF = f"SELECT {_VIEWS} FROM rooms {_PARTS} WHERE rooms.room IN (SELECT value FROM json_each(:rooms))"
"""The rooms with these ids, in any order."""
PAGE = f"""
    SELECT {_VIEWS} FROM (
        SELECT rooms.id FROM members JOIN rooms ON rooms.id = members.room
        WHERE user = :user AND standing IN ('member', 'invited') AND (at, rooms.id) < (:at, :id)
        ORDER BY at DESC, rooms.id DESC LIMIT :limit
    ) AS listed CROSS JOIN rooms ON rooms.id = listed.id {_PARTS}
"""
"""The rooms of a page, in any order: SQLite promises none to an aggregate."""

# Public rooms as one user sees them, in the order of their titles.

_PUBLIC = """
    SELECT id, form, room FROM rooms WHERE (form, room) > (:form, :room) AND form < :end ORDER BY form, room
"""
PUBLIC_ROOMS = f"""
    SELECT json_group_array(json_array({_VIEW}, form)) FROM (
        SELECT id FROM ({_PUBLIC} LIMIT {PUBLIC_ROOMS_LOOKED_AT}) AS looked_at WHERE NOT EXISTS (
            SELECT 1 FROM members WHERE members.room = looked_at.id AND user = :user AND standing = 'banned'
        ) LIMIT :limit
    ) AS listed CROSS JOIN rooms ON rooms.id = listed.id {_PARTS}
"""
"""Bounded numbers of public rooms, in any order; after its view each row has the form."""
LAST_LOOKED_AT = f"{_PUBLIC} LIMIT 1 OFFSET {PUBLIC_ROOMS_LOOKED_AT - 1}"
"""The last room that `PUBLIC_ROOMS` looks at, if there are as many."""

# Across rooms.

MEMBERSHIPS = """
    SELECT rooms.room, head, role, since, standing FROM members JOIN rooms ON rooms.id = members.room
    WHERE user = ? AND standing IN ('member', 'invited')
"""
MEMBERSHIP = f"{MEMBERSHIPS} AND rooms.room = ?"
UNREAD_ROOMS = f"""
    SELECT {ROOM}, read, delivered, unread_from, muted, {_UNREAD}
    FROM members JOIN rooms ON rooms.id = members.room
    JOIN markers ON markers.room = members.room AND markers.user = members.user
    WHERE members.user = :user AND standing = 'member' AND NOT muted AND {_COUNTED_FROM} < rooms.head
"""
ACQUAINTED = """
    SELECT 1 FROM members AS theirs JOIN members AS mine ON mine.room = theirs.room AND mine.user = ?
    WHERE theirs.user = ? AND theirs.standing IN ('member', 'invited') AND mine.standing IN ('member', 'invited')
    LIMIT 1
"""
FELLOW = """
    SELECT 1 FROM members AS theirs JOIN members AS mine ON mine.room = theirs.room AND mine.user = ?
    WHERE theirs.user = ? AND theirs.standing = 'member' AND mine.standing = 'member' LIMIT 1
"""
CHANGES = """
    SELECT position, rooms.room, seq, affects FROM entries JOIN rooms ON rooms.id = entries.room
    WHERE position > ? ORDER BY position LIMIT ?
"""
NEWEST_CHANGE = """
    SELECT position, rooms.room, seq, affects FROM entries JOIN rooms ON rooms.id = entries.room
    ORDER BY position DESC LIMIT 1
"""
NEWEST_POSITION = "SELECT coalesce(max(position), 0) FROM entries"
FEED = f"""
    SELECT position, (SELECT rooms.room FROM rooms WHERE rooms.id = entries.room), {ENTRY}
    FROM entries WHERE position > ? ORDER BY position LIMIT ?
"""

# Rebuilding the views.

VIEWS = "SELECT views FROM store"
VIEWS_FOLDED = "SELECT views, folded FROM store"
SET_VIEWS = "UPDATE store SET views = ?, folded = ?"
LOG_FROM = f"SELECT position, entries.room, {ENTRY} FROM entries WHERE position > ? ORDER BY position LIMIT ?"
LAST_ROOM_OF = "SELECT max(id) FROM (SELECT id FROM rooms WHERE id > ? ORDER BY id LIMIT ?)"
UNFOLD_ROOMS = """
    UPDATE rooms SET head = 0, at = 0, title = NULL, form = NULL, members_count = 0 WHERE id > ? AND id <= ?
"""
