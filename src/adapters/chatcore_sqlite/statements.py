"""Every statement that the store runs while it serves. A test looks at the plan of each: none may scan a table."""

ENTRY = "seq, author, key, at, digest, kind, event, opens"
ROOM = "rooms.id, rooms.room, rooms.kind, title, head, at, members_count"

EPOCH = "SELECT epoch FROM store"

# Writing.

HEAD = "SELECT id, head FROM rooms WHERE room = ?"
BEAR_ROOM = "INSERT INTO rooms (room, kind, title, head, at, members_count) VALUES (?, ?, ?, 0, 0, 0)"
WRITE_ENTRY = f"INSERT INTO entries (room, {ENTRY}, affects) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
HEAD_WRITTEN = "SELECT seq, at FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1"
MOVE_HEAD = "UPDATE rooms SET head = ?, at = ? WHERE id = ?"
CHANGE_ROOM = "UPDATE rooms SET kind = ?, title = ?, members_count = members_count + ? WHERE id = ?"
SET_MEMBER = "INSERT OR REPLACE INTO members (room, user, role, since, standing) VALUES (?, ?, ?, ?, ?)"
DROP_MEMBER = "DELETE FROM members WHERE room = ? AND user = ?"
SET_MARKER = "INSERT OR REPLACE INTO markers (room, user, read, delivered) VALUES (?, ?, ?, ?)"

# One room.

ROOM_NAMED = f"SELECT {ROOM} FROM rooms WHERE room = ?"
ROOM_BY_ID = f"SELECT {ROOM} FROM rooms WHERE id = ?"
MEMBER = "SELECT role, since, standing FROM members WHERE room = ? AND user = ?"
MEMBERS = "SELECT user, role, since, standing FROM members WHERE room = ?"
MARKER = """
    SELECT read, delivered FROM markers JOIN members USING (room, user)
    WHERE room = ? AND user = ? AND standing = 'member'
"""
MARKERS = """
    SELECT user, read, delivered FROM members JOIN markers USING (room, user)
    WHERE members.room = ? AND standing = 'member'
"""

# Its log.

_ENTRIES = f"SELECT {ENTRY} FROM entries WHERE room = ?"
ENTRY_AT = f"{_ENTRIES} AND seq = ?"
ENTRY_OF_KEY = f"{_ENTRIES} AND author = ? AND key = ?"
ENTRIES_ABOVE = f"{_ENTRIES} AND seq > ? ORDER BY seq LIMIT ?"
ENTRIES_BELOW = f"{_ENTRIES} AND seq < ? ORDER BY seq DESC LIMIT ?"
MESSAGES_ABOVE = f"{_ENTRIES} AND seq > ? AND kind = 'message' ORDER BY seq LIMIT ?"
MESSAGES_BELOW = f"{_ENTRIES} AND seq < ? AND kind = 'message' ORDER BY seq DESC LIMIT ?"
FIRST_UNREAD = """
    SELECT seq FROM entries WHERE room = ? AND seq > ? AND author <> ? AND kind = 'message' ORDER BY seq LIMIT 1
"""
UNREAD = """
    SELECT count(*) FROM (
        SELECT 1 FROM entries WHERE room = ? AND seq > ? AND author <> ? AND kind = 'message' LIMIT ?
    )
"""

# Across rooms.

MEMBERSHIPS = """
    SELECT rooms.room, head, role, since, standing FROM members JOIN rooms ON rooms.id = members.room
    WHERE user = ? AND standing IN ('member', 'invited')
"""
MEMBERSHIP = f"{MEMBERSHIPS} AND rooms.room = ?"
PAGE = f"""
    SELECT {ROOM} FROM members JOIN rooms ON rooms.id = members.room
    WHERE user = ? AND standing IN ('member', 'invited') AND (at, rooms.id) < (?, ?)
    ORDER BY at DESC, rooms.id DESC LIMIT ?
"""
CHANGES = """
    SELECT position, rooms.room, seq, affects FROM entries JOIN rooms ON rooms.id = entries.room
    WHERE position > ? ORDER BY position LIMIT ?
"""
NEWEST_CHANGE = """
    SELECT position, rooms.room, seq, affects FROM entries JOIN rooms ON rooms.id = entries.room
    ORDER BY position DESC LIMIT 1
"""
