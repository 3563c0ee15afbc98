"""What lies above a seq."""

from collections.abc import Mapping, Sequence

from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import LogSlice

from . import queries
from .presenting import as_written
from .reading import Reading, gone_of, only


async def news(reading: Reading, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]]) -> LogSlice:
    """As `EntryLog.read_on` says."""
    some = queries.above(room, after, after + limit, limit) if limit else None
    held = [queries.holders(room, author, its) for author, its in _by_author(keys).items()]
    pending, heads, *found = await reading.ask(queries.pending([room]), queries.head(room), some, *held)
    head = only(heads)
    if head is None:
        return LogSlice(head=0, entries=[], first={})
    gone = gone_of(pending).get(room, ())
    entries, *holders = (as_written([one for one in some if one["seq"] <= head["seq"]], gone) for some in found)
    first = {(entry.author, entry.key): entry for entries in holders for entry in entries}
    return LogSlice(head=head["seq"], entries=entries, first={key: first[key] for key in keys if key in first})


def _by_author(keys: Sequence[tuple[UserId, Key]]) -> Mapping[UserId, Sequence[Key]]:
    found: dict[UserId, list[Key]] = {}
    for author, key in keys:
        found.setdefault(author, []).append(key)
    return found
