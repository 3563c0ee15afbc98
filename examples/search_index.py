"""A search index of all messages, in SQLite's FTS5, which follows the feed of a Chat: `await index.follow(chat)`.

The index and the position of the feed change in one transaction, so a crash at any moment does no harm. What it leaves
out: who may read what it finds, and that a deleted text, which is found no more, may stay in unused pages of the file.
"""

import sqlite3
from pathlib import Path

from chatcore import Chat, Deleted, Edited, Entry, FeedBatch, FeedReset, Message

SCHEMA = """
CREATE TABLE IF NOT EXISTS feed (position TEXT);
CREATE TABLE IF NOT EXISTS rooms (room TEXT PRIMARY KEY, seq INTEGER);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, room TEXT, seq INTEGER, UNIQUE (room, seq));
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (body);
"""
CLEAR = "BEGIN; DELETE FROM feed; DELETE FROM rooms; DELETE FROM messages; DELETE FROM texts; COMMIT"
FOUND = "SELECT room, seq FROM texts JOIN messages ON id = texts.rowid WHERE texts MATCH ? ORDER BY rank LIMIT 50"
PUT = "REPLACE INTO texts (rowid, body) SELECT id, ? FROM messages WHERE room = ? AND seq = ?"


class SearchIndex:
    def __init__(self, file: str | Path) -> None:
        self.database = sqlite3.connect(file)
        self.database.executescript(SCHEMA)

    def search(self, *words: str) -> list[tuple[str, int]]:
        """Return room and seq of the messages with all of the words, the best first."""
        quoted = ['"{}"'.format(word.replace('"', '""')) for word in words]
        return self.database.execute(FOUND, (" ".join(quoted),)).fetchall()

    async def follow(self, chat: Chat) -> None:
        """Keep the index up to date until the Chat is left."""
        row = self.database.execute("SELECT position FROM feed").fetchone()
        try:
            async for batch in chat.feed(row and row[0]):
                self.take(batch)
        except FeedReset:  # the store was replaced, or restored from a backup
            self.database.executescript(CLEAR)
            await self.follow(chat)

    def take(self, batch: FeedBatch) -> None:
        with self.database:
            for entry in batch.entries:
                row = self.database.execute("SELECT seq FROM rooms WHERE room = ?", (entry.room,)).fetchone()
                if row is None or entry.seq > row[0]:  # the feed may repeat entries
                    self.database.execute("REPLACE INTO rooms VALUES (?, ?)", (entry.room, entry.seq))
                    self.put(entry)
            self.database.execute("REPLACE INTO feed (rowid, position) VALUES (1, ?)", (batch.position,))

    def put(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, Message):
            self.database.execute("INSERT INTO messages (room, seq) VALUES (?, ?)", (entry.room, entry.seq))
            self.database.execute(PUT, (event.body, entry.room, entry.seq))
        elif isinstance(event, Edited | Deleted):
            body = event.body if isinstance(event, Edited) else None
            self.database.execute(PUT, (body or "", entry.room, event.target))
