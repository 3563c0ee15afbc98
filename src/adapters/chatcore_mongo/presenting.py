"""Messages in their present state, as of a head."""

from collections.abc import Collection, Mapping, Sequence

from attrs import evolve, frozen

from chatcore.domain.entries import Entry, Message, Reaction
from chatcore.domain.page_tokens import from_milliseconds
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.ids import RoomId, Seq, UserId

from . import queries
from .documents import Changed, Document, Given, read_changed, read_entry, text_holder
from .reading import Gone, Reading

Place = tuple[RoomId, Seq]


def as_written(documents: Sequence[Document], gone: Collection[Seq]) -> Sequence[Entry]:
    """Entries of a room as they were written, without the texts that are to be gone."""
    return [_unless_gone(read_entry(document), gone) for document in documents]


def _unless_gone(entry: Entry, gone: Collection[Seq]) -> Entry:
    target = text_holder(entry)
    return redacted(entry) if target in gone and target is not None and holds_text_of(entry, target) else entry


@frozen
class Edit:
    """The last edit of a message."""

    at: int
    body: str


async def present(
    reading: Reading,
    user: UserId,
    entries: Sequence[Entry],
    heads: Mapping[RoomId, Seq],
    gone: Gone,
    changes: Sequence[Document] | None = None,
) -> Sequence[Entry]:
    """Entries as written, of some rooms, with the messages among them as ``user`` sees them as of the rooms' heads.

    ``changes`` are the last of these messages, where they have been read already.
    """
    found = await _changes(reading, entries, heads) if changes is None else changes
    changed = {(one["room"], one["_id"]): read_changed(one) for one in found}
    if not changed:
        return entries
    edits = await _edits(reading, changed, gone)
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


async def _edits(reading: Reading, changed: Mapping[Place, Changed], gone: Gone) -> Mapping[object, Edit]:
    wanted = [
        one.edit for (room, seq), one in changed.items() if one.edit is not None and seq not in gone.get(room, ())
    ]
    if not wanted:
        return {}
    (found,) = await reading.ask(queries.by_id(wanted))
    return {one["_id"]: Edit(one["at"], one["event"].get("body", "")) for one in found}


async def _mine(
    reading: Reading, user: UserId, changed: Mapping[Place, Changed], heads: Mapping[RoomId, Seq]
) -> Collection[tuple[RoomId, Seq, str]]:
    """Which emoji that more gave than are named ``user`` is among."""
    targets: dict[RoomId, list[Seq]] = {}
    for (room, seq), one in changed.items():
        if any(_hides(given, user) for given in one.reactions):
            targets.setdefault(room, []).append(seq)
    asked = [queries.reactions_of(room, [user], seqs, heads[room]) for room, seqs in targets.items()]
    found = [one for documents in await reading.ask(*asked) for one in documents]
    last = {
        (one["room"], one["about"], one["event"]["emoji"]): one["event"]["on"]
        for one in sorted(found, key=lambda one: one["seq"])
    }
    return {place for place, on in last.items() if on}


def _hides(given: Given, user: UserId) -> bool:
    """Whether it does not tell if ``user`` gave it."""
    return given.count > len(given.users) and user not in given.users


def _present(
    entry: Entry,
    user: UserId,
    changed: Changed | None,
    edits: Mapping[object, Edit],
    mine: Collection[tuple[RoomId, Seq, str]],
) -> Entry:
    message = entry.event
    if changed is None or not isinstance(message, Message):
        return entry
    message = evolve(message, version=changed.version)
    if message.deleted:
        return evolve(entry, event=message)
    if edit := edits.get(changed.edit):
        message = evolve(message, body=edit.body, edited_at=from_milliseconds(edit.at))
    reactions = {
        given.emoji: Reaction(
            count=given.count,
            users=given.users,
            mine=user in given.users or (entry.room, entry.seq, given.emoji) in mine,
        )
        for given in changed.reactions
    }
    return evolve(entry, event=evolve(message, reactions=reactions))
