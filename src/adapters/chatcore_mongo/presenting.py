"""Messages in their present state, as of a head."""

from collections.abc import Collection, Mapping, Sequence

from attrs import evolve
from bson import ObjectId

from chatcore.domain import message_projection
from chatcore.domain.entries import Entry, Message, Reaction
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import Changed, Document, read_changed, read_edit, read_entry
from .reading import Reading, whole

Place = tuple[RoomId, Seq]


def as_written(documents: Sequence[Document], gone: Collection[Seq]) -> Sequence[Entry]:
    """Entries of a room as they were written, without the texts that are to be gone."""
    return [_unless_gone(read_entry(document), gone) for document in documents]


def _unless_gone(entry: Entry, gone: Collection[Seq]) -> Entry:
    return redacted(entry) if any(holds_text_of(entry, target) for target in gone) else entry


async def present(
    reading: Reading,
    user: UserId,
    entries: Sequence[Entry],
    heads: Mapping[RoomId, Seq],
    changes: Sequence[Document] | None = None,
) -> Sequence[Entry]:
    """Entries as written, of some rooms, with the messages among them as ``user`` sees them as of the rooms' heads.

    ``changes`` are the last of these messages, where they have been read already.
    """
    found = await _changes(reading, entries, heads) if changes is None else changes
    changed = {(one["room"], one["_id"]): read_changed(one) for one in found}
    if not changed:
        return entries
    edits = await _edits(reading, changed)
    mine = await _mine(reading, user, changed, heads)
    return [_present(entry, user, changed.get((entry.room, entry.seq)), edits, mine) for entry in entries]


async def _changes(reading: Reading, entries: Sequence[Entry], heads: Mapping[RoomId, Seq]) -> Sequence[Document]:
    targets: dict[RoomId, list[Seq]] = {}
    for entry in entries:
        if isinstance(entry.event, Message) and entry.seq < heads[entry.room]:
            targets.setdefault(entry.room, []).append(entry.seq)
    asked = [queries.last_changes(room, seqs, heads[room]) for room, seqs in targets.items()]
    found = await reading.ask(*asked)
    return [one for documents in found for one in documents]


async def _edits(reading: Reading, changed: Mapping[Place, Changed]) -> Mapping[ObjectId, LastEdit]:
    versions = {one.edit: one.version for one in changed.values() if one.edit is not None}
    if not versions:
        return {}
    (found,) = await reading.ask(queries.by_id(list(versions)))
    return {one["_id"]: read_edit(one, versions[one["_id"]]) for one in whole(found, len(versions))}


async def _mine(
    reading: Reading, user: UserId, changed: Mapping[Place, Changed], heads: Mapping[RoomId, Seq]
) -> Collection[tuple[RoomId, Seq, str]]:
    """Which emoji that more gave than are named ``user`` is among."""
    targets: dict[RoomId, list[Seq]] = {}
    for (room, seq), one in changed.items():
        if any(_hides(reaction, user) for reaction in one.reactions.values()):
            targets.setdefault(room, []).append(seq)
    asked = [queries.reactions_of(room, [user], seqs, heads[room]) for room, seqs in targets.items()]
    found = [one for documents in await reading.ask(*asked) for one in documents]
    last = {
        (one["room"], one["about"], one["event"]["emoji"]): one["event"]["on"]
        for one in sorted(found, key=lambda one: one["seq"])
    }
    return {place for place, on in last.items() if on}


def _hides(reaction: Reaction, user: UserId) -> bool:
    """Whether it does not tell if ``user`` gave it."""
    return reaction.count > len(reaction.users) and user not in reaction.users


def _present(
    entry: Entry,
    user: UserId,
    changed: Changed | None,
    edits: Mapping[ObjectId, LastEdit],
    mine: Collection[tuple[RoomId, Seq, str]],
) -> Entry:
    if changed is None:
        return entry
    reactions = {
        emoji: evolve(reaction, mine=user in reaction.users or (entry.room, entry.seq, emoji) in mine)
        for emoji, reaction in changed.reactions.items()
    }
    return message_projection.present(entry, edits[changed.edit] if changed.edit else None, reactions)
