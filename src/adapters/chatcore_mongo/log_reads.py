"""Reads of the logs above a position: of one room for its task, and of many rooms for a client that comes back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from chatcore.domain.entries import Entry
from chatcore.domain.serialization import text_bytes
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import LogSlice
from chatcore.ports.room_views import RoomCatchUp

from . import queries
from .documents import Document, read_entries
from .history import present
from .queries import Query
from .read_session import PendingErasures, ReadSession, complete, messages_by_room, only
from .room_views import read_parts

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
    heads, deletions, *results = await session.fetch(
        queries.head(room), queries.pending_erasures([room]), above, *holders
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
    builder = await read_parts(session, queries.room_parts(list(cursors), [user]), list(cursors), [user])
    joined = [entry for room in cursors if (entry := builder.entries.get(room)) and builder.member(room, user)]
    ranges = {entry["room"]: (cursors[entry["room"]], entry["seq"]) for entry in joined}
    batches = list(_batches(ranges, limit))
    # The entries of the first rooms are read with the views: few clients have missed more.
    views, documents = await builder.build(session, joined, [user], _above(batches[0]) if batches else None)
    entries: dict[RoomId, Sequence[Entry]] = {}
    left = size
    for number, batch in enumerate(batches):
        if left < 0:
            break
        if number:
            (documents,) = await session.fetch(_above(batch))
        read = await _entries_in(session, user, batch, documents, builder.erasures)
        for room in batch:
            if left >= 0:
                entries[room] = read[room]
                left -= sum(map(text_bytes, read[room]))
    return {room: RoomCatchUp(view=views[room, user], entries=entries.get(room)) for room in ranges}


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


def _above(batch: Ranges) -> Query | None:
    behind = {room: (after, head) for room, (after, head) in batch.items() if after < head}
    return queries.above_each(behind) if behind else None


async def _entries_in(
    session: ReadSession, user: UserId, batch: Ranges, documents: Sequence[Document], erasures: PendingErasures
) -> Mapping[RoomId, Sequence[Entry]]:
    """Return the entries above the cursors, with messages in their present state.

    ``documents`` are those of `queries.above_each`. What changed a message is above it, so they have that too.
    """
    by_room: dict[RoomId, list[Document]] = {room: [] for room in batch}
    for document in sorted(documents, key=lambda document: document["seq"]):
        by_room[document["room"]].append(document)
    written: list[Entry] = []
    last_changes: dict[tuple[RoomId, Seq], Document] = {}
    for room, (after, head) in batch.items():
        written += read_entries(complete(by_room[room], max(head - after, 0)), erasures.get(room, ()))
        for document in by_room[room]:
            if document.get("about", 0) > after:
                changed: Document = {"_id": document["about"], "room": room, "message": document["message"]}
                last_changes[room, document["about"]] = changed
    entries: dict[RoomId, list[Entry]] = {room: [] for room in batch}
    heads = {room: head for room, (_, head) in batch.items()}
    for entry in await present(session, user, written, heads, list(last_changes.values())):
        entries[entry.room].append(entry)
    return entries
