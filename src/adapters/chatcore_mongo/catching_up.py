"""What lies above a user's cursors, for many rooms at once."""

from collections.abc import Iterator, Mapping, Sequence

from chatcore.domain.entries import Entry
from chatcore.domain.texts import text_bytes
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.entry_log import RoomCatchUp

from . import queries
from .presenting import as_written, present
from .reading import Gone, Reading, gone_of, whole
from .standing import standings_at
from .viewing import Head, Viewer, heads_of

READ_TOGETHER = 400
"""Entries that one command reads, where one room alone has no more."""

Missing = Mapping[RoomId, tuple[Seq, Seq]]
"""Of each room the cursor and the head above it."""


async def catch_up(
    reading: Reading, user: UserId, cursors: Mapping[RoomId, Seq], limit: int, size: int
) -> Mapping[RoomId, RoomCatchUp]:
    """As `EntryLog.catch_up` says."""
    if not cursors:
        return {}
    rooms = list(cursors)
    pending, places, found = await reading.ask(
        queries.pending(rooms), queries.heads(rooms), queries.standings([user], rooms)
    )
    gone, upto = gone_of(pending), {one["_id"]: one["seq"] for one in places}
    viewer = Viewer(reading, gone, standings_at(found, upto))
    mine = [one for one in places if viewer.member(one["_id"], user)]
    heads = {head.room: head for head in await heads_of(reading, mine)}
    views = await viewer.views(list(heads.values()), [user])
    entries = await _all_above(reading, user, _in_order(cursors, heads), limit, size, gone)
    return {room: RoomCatchUp(view=views[room, user], entries=entries.get(room)) for room in cursors if room in heads}


def _in_order(cursors: Mapping[RoomId, Seq], heads: Mapping[RoomId, Head]) -> Missing:
    return {room: (after, heads[room].seq) for room, after in cursors.items() if room in heads}


async def _all_above(
    reading: Reading, user: UserId, missing: Missing, limit: int, size: int, gone: Gone
) -> Mapping[RoomId, Sequence[Entry]]:
    """The entries above the cursors, of the rooms that have no more than ``limit``, until the size is reached."""
    found: dict[RoomId, Sequence[Entry]] = {}
    left = size
    for part in _parts(missing, limit):
        if left < 0:
            return found
        read = await _read(reading, user, part, gone)
        for room in part:
            if left >= 0:
                found[room] = read[room]
                left -= sum(map(text_bytes, read[room]))
    return found


def _parts(missing: Missing, limit: int) -> Iterator[Missing]:
    """The rooms in their order, in parts that are read together."""
    part: dict[RoomId, tuple[Seq, Seq]] = {}
    count = 0
    for room, (after, head) in missing.items():
        more = max(head - after, 0)
        if more > limit:
            continue
        if part and count + more > READ_TOGETHER:
            yield part
            part, count = {}, 0
        part[room] = after, head
        count += more
    if part:
        yield part


async def _read(reading: Reading, user: UserId, part: Missing, gone: Gone) -> Mapping[RoomId, Sequence[Entry]]:
    wanted = {room: (after, head) for room, (after, head) in part.items() if after < head}
    asked = [queries.above(room, after, head, head - after) for room, (after, head) in wanted.items()]
    answers = await reading.ask(*asked)
    entries: list[Entry] = []
    for (room, (after, head)), documents in zip(wanted.items(), answers, strict=True):
        entries += as_written(whole(documents, head - after), gone.get(room, ()))
    found: dict[RoomId, list[Entry]] = {room: [] for room in part}
    for entry in await present(reading, user, entries, {room: head for room, (_, head) in part.items()}):
        found[entry.room].append(entry)
    return found
