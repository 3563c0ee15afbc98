"""Reads of the logs above a position: of one room for its task, and of many rooms for a client that comes back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from chatcore.domain.entries import Entry
from chatcore.domain.serialization import text_bytes
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import LogSlice
from chatcore.ports.room_views import RoomCatchUp

from . import queries
from .documents import read_entries
from .history import present
from .memberships import memberships_at
from .read_session import PendingErasures, ReadSession, complete, messages_by_room, only
from .room_views import RoomViewBuilder, last_entries

ENTRIES_TOGETHER = 400
"""The most entries that one command reads, unless a single room has more."""

Ranges: TypeAlias = Mapping[RoomId, tuple[Seq, Seq]]
"""The client's cursor and the head of each room."""


async def read_on(
    session: ReadSession, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]]
) -> LogSlice:
    """Return the entries above ``after`` and the holders of ``keys``, as `EntryLog.read_on` says."""
    above = queries.above(room, after, after + limit, limit) if limit else None
    holders = [queries.holders(room, author, held) for author, held in _by_author(keys).items()]
    deletions, heads, *results = await session.fetch(
        queries.pending_erasures([room]), queries.head(room), above, *holders
    )
    head = only(heads)
    if head is None:
        return LogSlice(head=0, entries=[], by_key={})
    erased = messages_by_room(deletions).get(room, ())
    entries, *held_by_author = (
        read_entries([document for document in documents if document["seq"] <= head["seq"]], erased)
        for documents in results
    )
    by_key = {(entry.author, entry.key): entry for held in held_by_author for entry in held}
    return LogSlice(head=head["seq"], entries=entries, by_key={key: by_key[key] for key in keys if key in by_key})


def _by_author(keys: Sequence[tuple[UserId, Key]]) -> Mapping[UserId, Sequence[Key]]:
    by_author: dict[UserId, list[Key]] = {}
    for author, key in keys:
        by_author.setdefault(author, []).append(key)
    return by_author


async def catch_up(
    session: ReadSession, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
) -> Mapping[RoomId, RoomCatchUp]:
    """Return the views of rooms and the entries above the user's cursors, as `RoomViews.catch_up` says."""
    if not cursors:
        return {}
    rooms = list(cursors)
    deletions, heads, changes = await session.fetch(
        queries.pending_erasures(rooms), queries.heads(rooms), queries.membership_changes([user], rooms)
    )
    erasures = messages_by_room(deletions)
    seqs: Mapping[RoomId, Seq] = {head["_id"]: head["seq"] for head in heads}
    builder = RoomViewBuilder(session, erasures, memberships_at(changes, seqs))
    joined = [head for head in heads if builder.member(head["_id"], user)]
    views = await builder.build(await last_entries(session, joined), [user])
    ranges = {room: (after, seqs[room]) for room, after in cursors.items() if (room, user) in views}
    entries = await _entries_above(session, user, ranges, limit, size, erasures)
    return {room: RoomCatchUp(view=views[room, user], entries=entries.get(room)) for room in ranges}


async def _entries_above(
    session: ReadSession, user: UserId, ranges: Ranges, limit: int, size: int, erasures: PendingErasures
) -> Mapping[RoomId, Sequence[Entry]]:
    """Return the entries above the cursors, of rooms that have at most ``limit`` such entries.

    Stops at the room with which the texts have more than ``size`` bytes.
    """
    entries: dict[RoomId, Sequence[Entry]] = {}
    left = size
    for batch in _batches(ranges, limit):
        if left < 0:
            return entries
        read = await _entries_in(session, user, batch, erasures)
        for room in batch:
            if left >= 0:
                entries[room] = read[room]
                left -= sum(map(text_bytes, read[room]))
    return entries


def _batches(ranges: Ranges, limit: int) -> Iterator[Ranges]:
    """Yield the rooms with at most ``limit`` entries, in their order, in groups of up to `ENTRIES_TOGETHER` entries."""
    batch: dict[RoomId, tuple[Seq, Seq]] = {}
    total = 0
    for room, (after, head) in ranges.items():
        count = max(head - after, 0)
        if count > limit:
            continue
        if batch and total + count > ENTRIES_TOGETHER:
            yield batch
            batch, total = {}, 0
        batch[room] = after, head
        total += count
    if batch:
        yield batch


async def _entries_in(
    session: ReadSession, user: UserId, batch: Ranges, erasures: PendingErasures
) -> Mapping[RoomId, Sequence[Entry]]:
    """Return the entries above the cursors, with messages in their present state."""
    behind = {room: (after, head) for room, (after, head) in batch.items() if after < head}
    results = await session.fetch(
        *[queries.above(room, after, head, head - after) for room, (after, head) in behind.items()]
    )
    written: list[Entry] = []
    for (room, (after, head)), documents in zip(behind.items(), results, strict=True):
        written += read_entries(complete(documents, head - after), erasures.get(room, ()))
    entries: dict[RoomId, list[Entry]] = {room: [] for room in batch}
    for entry in await present(session, user, written, {room: head for room, (_, head) in batch.items()}):
        entries[entry.room].append(entry)
    return entries
