"""What lies above a seq."""

from collections.abc import Mapping, Sequence

from chatcore.domain.entries import Entry
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.room_log import News

from . import queries
from .presenting import as_written
from .reading import Reading, gone_of, only


async def news(reading: Reading, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]]) -> News:
    """As `RoomLog.read_on` says."""
    some = [queries.above(room, after, after + limit, limit)] if limit else []
    held = [queries.holders(room, author, its) for author, its in _by_author(keys).items()]
    pending, heads, *found = await reading.ask(queries.pending([room]), queries.head(room), *some, *held)
    head = only(heads)
    if head is None:
        return News(head=0, entries=[], first={})
    gone = gone_of(pending).get(room, ())
    known = [[one for one in documents if one["seq"] <= head["seq"]] for documents in found]
    entries = as_written(known.pop(0), gone) if some else []
    holders = [entry for documents in known for entry in as_written(documents, gone)]
    return News(head=head["seq"], entries=entries, first=_in_order(holders, keys))


def _by_author(keys: Sequence[tuple[UserId, Key]]) -> Mapping[UserId, Sequence[Key]]:
    found: dict[UserId, list[Key]] = {}
    for author, key in keys:
        found.setdefault(author, []).append(key)
    return found


def _in_order(holders: Sequence[Entry], keys: Sequence[tuple[UserId, Key]]) -> Mapping[tuple[UserId, Key], Entry]:
    found = {(entry.author, entry.key): entry for entry in holders}
    return {key: found[key] for key in keys if key in found}
