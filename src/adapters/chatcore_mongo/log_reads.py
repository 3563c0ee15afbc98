"""Reads of the logs above a position: of one room for its task, and of many rooms for a client that comes back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from chatcore.domain.entries import Entry
from chatcore.domain.serialization import text_bytes
from chatcore.domain.state import RoomView
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import LogSlice
from chatcore.ports.room_views import RoomCatchUp

from . import queries
from .documents import Document, read_entries
from .history import changes_in, present
from .known_views import KnownView
from .queries import Query
from .read_session import PendingErasures, ReadSession, complete, messages_by_room, only
from .room_views import read_parts

ENTRIES_TOGETHER = 400
"""The most entries that one command reads, unless a single room has more."""

Ranges: TypeAlias = Mapping[RoomId, tuple[Seq, Seq]]
"""The client's cursor and the head of each room."""
EntryDocuments: TypeAlias = dict[RoomId, list[Document]]
"""The documents of a room's entries, ascending."""


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
    session: ReadSession,
    user: UserId,
    cursors: Mapping[RoomId, Seq],
    limit: int,
    size: int,
    known: Mapping[RoomId, KnownView],
) -> Mapping[RoomId, RoomCatchUp]:
    """Return the views of rooms and the entries above the user's cursors, as `RoomViews.catch_up` says.

    Args:
        session: where to read.
        user: the user.
        cursors: the user's cursors.
        limit: the most entries of a room.
        size: the most bytes of texts.
        known: earlier views of some of the rooms. Of rooms that have not changed since, only missed entries are read.
    """
    views, erasures, read = await _unchanged(session, cursors, known, limit)
    unknown = [room for room in cursors if room not in views]
    builder = await read_parts(session, queries.room_parts(unknown, [user]), unknown, [user])
    joined = [entry for entry in builder.entries.values() if builder.member(entry["room"], user)]
    heads = {room: view.head for room, view in views.items()} | {entry["room"]: entry["seq"] for entry in joined}
    ranges = {room: (after, heads[room]) for room, after in cursors.items() if room in heads}
    batches = list(_batches(ranges, limit))
    # The entries of the first rooms are read with the views: few clients have missed more.
    built, documents = await builder.build(session, joined, [user], _above(batches[0], read) if batches else None)
    views |= {room: view for (room, _), view in built.items()}
    erasures |= builder.erasures
    entries: dict[RoomId, Sequence[Entry]] = {}
    left = size
    for number, batch in enumerate(batches):
        if left < 0:
            break
        if number:
            (documents,) = await session.fetch(_above(batch, read))
        read |= _by_room(documents)
        missed = await _entries_in(session, user, batch, read, views, erasures)
        for room in batch:
            read.pop(room, None)
            if left >= 0:
                entries[room] = missed[room]
                left -= sum(map(text_bytes, missed[room]))
    return {room: RoomCatchUp(view=views[room], entries=entries.get(room)) for room in ranges}


async def _unchanged(
    session: ReadSession, cursors: Mapping[RoomId, Seq], known: Mapping[RoomId, KnownView], limit: int
) -> tuple[dict[RoomId, RoomView], dict[RoomId, frozenset[Seq]], EntryDocuments]:
    """Return the known views that are still right, and of these rooms the pending erasures and the first entries.

    One command reads all of them, on the assumption that nothing has changed.
    """
    if not known:
        return {}, {}, {}
    ranges = {room: (after, known[room].view.head) for room, after in cursors.items() if room in known}
    behind = [room for room, (after, head) in ranges.items() if head - after > 1]
    batches = list(_batches(ranges, limit))
    heads, deletions, documents, found = await session.fetch(
        queries.seqs(list(known)),
        queries.pending_erasures(behind) if behind else None,
        _above(batches[0], {}) if batches else None,
        queries.markers([identity for each in known.values() for identity in each.marker_ids]),
    )
    seqs = {head["_id"]: head["seq"] for head in heads}
    markers = {document["_id"]: document for document in found}
    views = {room: each.view for room, each in known.items() if each.is_present(seqs.get(room), markers)}
    read = {room: some for room, some in _by_room(documents).items() if room in views}
    return views, dict(messages_by_room(deletions)), read


def _by_room(documents: Sequence[Document]) -> EntryDocuments:
    by_room: EntryDocuments = {}
    for document in sorted(documents, key=lambda document: document["seq"]):
        by_room.setdefault(document["room"], []).append(document)
    return by_room


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


def _above(batch: Ranges, read: EntryDocuments) -> Query | None:
    """Return the query of the missed entries, without rooms that are read, or lack only the last one: views show it."""
    behind = {room: (after, head) for room, (after, head) in batch.items() if head - after > 1 and room not in read}
    return queries.above_each(behind) if behind else None


async def _entries_in(
    session: ReadSession,
    user: UserId,
    batch: Ranges,
    read: EntryDocuments,
    views: Mapping[RoomId, RoomView],
    erasures: PendingErasures,
) -> Mapping[RoomId, Sequence[Entry]]:
    """Return the entries above the cursors, with messages in their present state.

    ``read`` has the documents of `_above`. What changed a message is above it, so they have that too.
    """
    entries: dict[RoomId, list[Entry]] = {}
    written: list[Entry] = []
    last_changes: list[Document] = []
    for room, (after, head) in batch.items():
        entries[room] = [views[room].last] if head - after == 1 else []
        if head - after <= 1:
            continue
        written += read_entries(complete(read.get(room, ()), head - after), erasures.get(room, ()))
        last_changes += changes_in(read[room])
    heads = {room: head for room, (_, head) in batch.items()}
    for entry in await present(session, user, written, heads, last_changes):
        entries[entry.room].append(entry)
    return entries
