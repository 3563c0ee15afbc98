"""Pages of a room's history, and messages in their present state."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from attrs import evolve, frozen
from bson import ObjectId

from chatcore.domain import message_projection
from chatcore.domain.entries import Entry, Message, Reaction
from chatcore.domain.message_projection import LastEdit
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.room_views import Anchor, FirstUnread, Window

from . import queries
from .documents import Document, MessageSummary, read_edit, read_entries, read_message, read_summary
from .memberships import memberships_at
from .queries import Query
from .read_session import ReadSession, complete, messages_by_room, only

MessageId: TypeAlias = tuple[RoomId, Seq]


@frozen(kw_only=True)
class PageRequest:
    """The arguments of `RoomViews.window`."""

    user: UserId
    room: RoomId
    anchor: Anchor
    before: int
    after: int
    messages_only: bool


async def window(session: ReadSession, request: PageRequest) -> Window:
    """Return the entries around an anchor, as `RoomViews.window` says."""
    room, user = request.room, request.user
    if request.anchor == "newest" and not request.messages_only and (newest := await _newest(session, request)):
        return newest
    heads, deletions = await session.fetch(queries.head(room), queries.pending_erasures([room]))
    head_entry = only(heads)
    if head_entry is None:
        return Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)
    erased, head = messages_by_room(deletions).get(room, ()), head_entry["seq"]
    anchor = await _anchor_seq(session, request, head, erased)
    changes, *results = await session.fetch(
        queries.membership_changes([user], [room], head), *_page_queries(request, anchor, head)
    )
    if request.messages_only:
        last_changes = None
        before, at, after = _in_order(*results[:2]), results[2], _in_order(*results[3:])
        has_before, has_after = len(before) > request.before, len(after) > request.after
        before, after = before[len(before) - request.before :] if has_before else before, after[: request.after]
    else:
        before, at, after, last_changes = results
        before.reverse()
        has_before, has_after = anchor - 1 > request.before, head - anchor > request.after
    entries = read_entries([*before, *at, *after], erased)
    return Window(
        head=head,
        kind=read_summary(head_entry).kind,
        member=memberships_at(changes, {room: head}).get((room, user)),
        entries=await present(session, user, entries, {room: head}, last_changes),
        has_before=has_before,
        has_after=has_after,
    )


async def _newest(session: ReadSession, request: PageRequest) -> Window | None:
    """Return the newest entries, which one command reads; None if so many came meanwhile that some are missing."""
    room, user = request.room, request.user
    heads, deletions, changes, documents = await session.fetch(
        queries.head(room),
        queries.pending_erasures([room]),
        queries.membership_changes([user], [room]),
        queries.newest(room, request.before) if request.before else None,
    )
    head_entry = only(heads)
    if head_entry is None:
        return Window(head=0, kind=None, member=None, entries=[], has_before=False, has_after=False)
    head = head_entry["seq"]
    page = [document for document in reversed(documents) if document["seq"] <= head]
    if len(page) < min(request.before, head):
        return None
    entries = read_entries(page, messages_by_room(deletions).get(room, ()))
    return Window(
        head=head,
        kind=read_summary(head_entry).kind,
        member=memberships_at(changes, {room: head}).get((room, user)),
        entries=await present(session, user, entries, {room: head}, changes_in(page)),
        has_before=head > request.before,
        has_after=False,
    )


def changes_in(documents: Sequence[Document]) -> Sequence[Document]:
    """Return documents as `queries.last_changes` finds them, from those of all entries above some seq, ascending."""
    last = {document["about"]: document for document in documents if "about" in document}
    seqs = {document["seq"] for document in documents}
    return [
        {"_id": about, "room": document["room"], "message": document["message"]}
        for about, document in last.items()
        if about in seqs
    ]


async def _anchor_seq(session: ReadSession, request: PageRequest, head: Seq, erased: Collection[Seq]) -> Seq:
    """Return the anchor as a seq: 0 is the place before the first entry, ``head + 1`` the place after the last."""
    newest = head + 1
    match request.anchor:
        case "newest":
            return newest
        case "oldest":
            return 0
        case FirstUnread(user=user, read=read):
            unread = await session.fetch_one(queries.first_unread(request.room, user, read, head, erased))
            return unread["seq"] if unread else newest
        case seq:
            return min(seq, newest)


def _page_queries(request: PageRequest, anchor: Seq, head: Seq) -> Sequence[Query | None]:
    """Return the queries of a page.

    With ``messages_only`` they find the messages before the anchor, at the anchor and after it, and on each side one
    more, which says whether there are more. Otherwise the seqs of the page are known, since seqs have no hole: they
    find the entries before, at and after the anchor, and the changes of the page's messages.
    """
    room, before, after = request.room, request.before, request.after
    if request.messages_only:
        return [
            *queries.messages_below(room, anchor, before + 1),
            queries.message_at(room, anchor) if anchor <= head else None,
            *queries.messages_above(room, anchor, head, after + 1),
        ]
    return [
        queries.below(room, anchor, before) if before else None,
        queries.entry_at(room, anchor) if anchor <= head else None,
        queries.above(room, anchor, head, after) if after else None,
        queries.last_changes(room, range(anchor - before, anchor + after + 1), head),
    ]


def _in_order(present: Sequence[Document], deleted: Sequence[Document]) -> list[Document]:
    """Return messages in ascending order. A message that is erased between the two queries is in both."""
    by_seq = {message["seq"]: message for message in (*present, *deleted)}
    return [by_seq[seq] for seq in sorted(by_seq)]


async def present(
    session: ReadSession,
    user: UserId,
    entries: Sequence[Entry],
    heads: Mapping[RoomId, Seq],
    last_changes: Sequence[Document] | None = None,
) -> Sequence[Entry]:
    """Return ``entries`` with their messages as ``user`` sees them as of the heads.

    Args:
        session: reads what changed the messages.
        user: the user who reads.
        entries: entries as written, of any rooms.
        heads: the heads of at least these rooms.
        last_changes: documents of `queries.last_changes` for all of the messages; None to read them here.
    """
    documents = await _last_changes(session, entries, heads) if last_changes is None else last_changes
    summaries = {(document["room"], document["_id"]): read_message(document) for document in documents}
    if not summaries:
        return entries
    edits = await _edits(session, summaries)
    unnamed_reactions = await _unnamed_reactions(session, user, summaries, heads)
    return [
        _present(entry, user, summaries.get((entry.room, entry.seq)), edits, unnamed_reactions) for entry in entries
    ]


async def _last_changes(
    session: ReadSession, entries: Sequence[Entry], heads: Mapping[RoomId, Seq]
) -> Sequence[Document]:
    messages: dict[RoomId, list[Seq]] = {}
    for entry in entries:
        if isinstance(entry.event, Message) and entry.seq < heads[entry.room]:
            messages.setdefault(entry.room, []).append(entry.seq)
    results = await session.fetch(*[queries.last_changes(room, seqs, heads[room]) for room, seqs in messages.items()])
    return [document for documents in results for document in documents]


async def _edits(session: ReadSession, summaries: Mapping[MessageId, MessageSummary]) -> Mapping[ObjectId, LastEdit]:
    versions = {summary.last_edit: summary.version for summary in summaries.values() if summary.last_edit is not None}
    if not versions:
        return {}
    (documents,) = await session.fetch(queries.by_id(list(versions)))
    return {
        document["_id"]: read_edit(document, versions[document["_id"]])
        for document in complete(documents, len(versions))
    }


async def _unnamed_reactions(
    session: ReadSession, user: UserId, summaries: Mapping[MessageId, MessageSummary], heads: Mapping[RoomId, Seq]
) -> Collection[tuple[RoomId, Seq, str]]:
    """Return the message and emoji of reactions by ``user`` that the summaries count without naming the user."""
    messages: dict[RoomId, list[Seq]] = {}
    for (room, seq), summary in summaries.items():
        if any(_is_unclear(reaction, user) for reaction in summary.reactions.values()):
            messages.setdefault(room, []).append(seq)
    results = await session.fetch(
        *[queries.reactions_of(room, [user], seqs, heads[room]) for room, seqs in messages.items()]
    )
    documents = [document for documents in results for document in documents]
    last = {
        (document["room"], document["about"], document["event"]["emoji"]): document["event"]["on"]
        for document in sorted(documents, key=lambda document: document["seq"])
    }
    return {reaction for reaction, on in last.items() if on}


def _is_unclear(reaction: Reaction, user: UserId) -> bool:
    """Return whether the reaction may count ``user`` without naming this user."""
    return reaction.count > len(reaction.users) and user not in reaction.users


def _present(
    entry: Entry,
    user: UserId,
    summary: MessageSummary | None,
    edits: Mapping[ObjectId, LastEdit],
    unnamed: Collection[tuple[RoomId, Seq, str]],
) -> Entry:
    if summary is None:
        return entry
    reactions = {
        emoji: evolve(reaction, mine=user in reaction.users or (entry.room, entry.seq, emoji) in unnamed)
        for emoji, reaction in summary.reactions.items()
    }
    return message_projection.present(entry, edits[summary.last_edit] if summary.last_edit else None, reactions)
