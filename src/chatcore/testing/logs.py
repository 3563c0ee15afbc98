"""Values and functions that the suites of the log share."""

from collections.abc import Iterable, Sequence

from ..domain.entries import Entry
from ..ids import RoomId
from ..ports.entry_log import AppendResult, EntryLog
from .builders import message

READ_ALL = 10_000

HOSTILE_NAMES = [
    "🙂" * 128,
    "o'neil\"; DROP TABLE entries; --",
    "a-b~c.d_e",
    "%_%2D{braces}/../x?y#z",
    "$where",
    "e\u0301 is not \u00e9",
    "\u202eright to left\u202c",
    " spaces ",
]
"""User ids that the contract allows and that need correct escaping in a store. They are valid room ids as well."""

ALMOST_EQUAL = ["bob", "Bob", "bob ", "bo", "b\u00f6b", "bo\u0308b", "b_b", "b%", "bob\u200b"]
"""Texts that differ only when they are compared by code points."""


async def write(log: EntryLog, entries: Sequence[Entry]) -> None:
    """Append entries of one room. All of them must be new."""
    for start in range(0, len(entries), 200):
        part = entries[start : start + 200]
        assert await log.append(part) == AppendResult(written=len(part))


async def everything(log: EntryLog, room: RoomId) -> Sequence[Entry]:
    """Return the whole log of a room, and check that it has the entries 1 to head."""
    log_slice = await log.read_on(room, 0, READ_ALL)
    assert [entry.seq for entry in log_slice.entries] == list(range(1, log_slice.head + 1))
    return log_slice.entries


async def say(log: EntryLog, room: RoomId, author: str, keys: Iterable[str]) -> None:
    """Append a message with each key at the head of the room. Each append is repeated until it succeeds."""
    head = 0
    for key in keys:
        while True:
            appended = await log.append([message(room, head + 1, author, key=key)])
            if appended.written or appended.taken:
                break
            head = (await log.read_on(room, head, 0)).head
