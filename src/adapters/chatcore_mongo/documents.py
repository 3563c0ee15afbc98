"""The documents in the database and their values. Only this module knows the fields of documents.

An entry's document also has a summary of the room, and of the message that the entry changes, as of that entry. So one
document holds the summary of a room as of any seq, and no second write is needed::

    entries  {room, seq, author, key, at, digest, kind, event, opens?, ts,
              became: {kind, title, count, shaped},       `RoomSummary`; shaped: _id of the last entry with shape
              shape?: true,                               the entry changed memberships or roles:
              affects?: [{user, role, since, standing}],  those that changed, as of the entry
              members?: [{user, since}],                  all members, if there are at most `MEMBERS_LISTED`
              about?: seq,                                the message that the entry changes
              message?: {version, edit, reactions},       `MessageSummary`; edit: _id of the last edited entry
              listed?: str | None,                        form of the title under which a public room is found from
                                                          this entry on; None if it is not found any more. A later
                                                          entry with `listed` takes it out of this one
              deleted?: true,                             the message's text is erased
              pending?: true}                             the deletion's text is not erased yet
    markers  {_id: room NUL user, since, read, delivered, unread_from, muted}
    sorted_rosters  {_id: room, upto, count, firsts: [user]}               all memberships as of the seq upto, in parts:
                    {_id: room NUL upto NUL number,                        in the order of user ids
                     members: [[user, role, since, standing]]}
    blocks   {_id: user NUL other, user, other, ts}
    last_seen  {_id: user, at}
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from attrs import field, frozen
from bson import Int64, ObjectId, Timestamp

from chatcore.domain import serialization
from chatcore.domain.entries import Entry, MembershipState, Reaction, Role, RoomKind
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.names import title_form
from chatcore.domain.page_tokens import PageToken
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.domain.serialization import from_milliseconds
from chatcore.domain.state import MARKERS_SHOWN_TO, Marker, Membership
from chatcore.ids import RoomId, Seq, UserId

Document: TypeAlias = dict[str, Any]

ENTRIES = "entries"
MARKERS = "markers"
ROSTERS = "sorted_rosters"
BLOCKS = "blocks"
LAST_SEEN = "last_seen"
META = "meta"
ACCOUNTS = "accounts"
SESSIONS = "sessions"
SOCKETS = "sockets"

MEMBERS_LISTED = MARKERS_SHOWN_TO
"""The most members that an entry which changes memberships lists."""

ROSTER_PART = 128
"""Users in one document of a roster: more than a page of members mostly has."""

_SERVER_TIME = Timestamp(0, 0)
"""The server replaces this value by its own time when it inserts the document."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class RoomSummary:
    """A room as of one of its entries.

    Attributes:
        kind: the room's kind.
        title: the room's title, if it has one.
        members_count: how many users are members, not only invited or banned.
        last_membership_change: the ``_id`` of the last entry that changed memberships or roles.
    """

    kind: RoomKind
    title: str | None
    members_count: int
    last_membership_change: ObjectId


@frozen(kw_only=True)
class MessageSummary:
    """A message as of an entry that changes it. The default values are those of a message without changes.

    Attributes:
        version: counts from 1; every edit has the next one.
        last_edit: the ``_id`` of the last `Edited` entry.
        reactions: by emoji, in the order of the log.
    """

    version: int = 1
    last_edit: ObjectId | None = None
    reactions: Mapping[str, Reaction] = field(factory=dict)


def entry_document(entry: Entry, summary: RoomSummary, identity: ObjectId | None = None) -> Document:
    """Return the document of an entry, with the fields that every entry has.

    ``data`` is JSON text in it: BSON refuses keys that JSON allows, and would change numbers.

    Args:
        entry: the entry.
        summary: the room as of the entry.
        identity: the ``_id``; None to let the driver make it.
    """
    document = serialization.stored_entry(entry)
    if "data" in document["event"]:
        document["event"]["data"] = _encode(document["event"]["data"])
    if opens := document.get("opens"):
        opens["members"] = list(opens["members"].items())
    document["ts"] = _SERVER_TIME
    document["became"] = {
        "kind": summary.kind,
        "title": summary.title,
        "count": summary.members_count,
        "shaped": summary.last_membership_change,
    }
    if identity is not None:
        document["_id"] = identity
    return document


def read_entry(document: Document) -> Entry:
    stored: Document = document["event"]
    if "data" not in stored and "opens" not in document and Int64 not in map(type, stored.values()):
        return serialization.read_entry(document)
    event: Document = {name: int(value) if isinstance(value, Int64) else value for name, value in stored.items()}
    if "data" in event:
        event["data"] = json.loads(event["data"])
    written = {**document, "event": event}
    if opens := document.get("opens"):
        written["opens"] = {**opens, "members": dict(opens["members"])}
    return serialization.read_entry(written)


def read_entries(documents: Sequence[Document], erased: Collection[Seq]) -> Sequence[Entry]:
    """Return entries of one room as they were written, without deleted texts.

    Args:
        documents: the entries' documents.
        erased: the seqs of deleted messages. Their texts may still be in the documents.
    """
    return [_without_erased_text(read_entry(document), erased) for document in documents]


def _without_erased_text(entry: Entry, erased: Collection[Seq]) -> Entry:
    return redacted(entry) if any(holds_text_of(entry, message) for message in erased) else entry


def read_edit(document: Document, version: int) -> LastEdit:
    """Return the last edit of a message, from the document of its `Edited` entry."""
    at = from_milliseconds(document["at"])
    return LastEdit(version=version, body=document["event"].get("body"), at=at)


ERASE_TEXT: Document = {"$unset": {"event.body": "", "event.data": ""}, "$set": {"digest": None}}
"""`chatcore.domain.redaction.redacted` as an update of an edit's document."""
ERASE_MESSAGE: Document = {
    "$unset": ERASE_TEXT["$unset"],
    "$set": {**ERASE_TEXT["$set"], "event.deleted": True, "deleted": True},
}
"""`chatcore.domain.redaction.redacted` as an update of a message's document."""


UNLIST: Document = {"$unset": {"listed": ""}}
"""Takes an entry's document out of the index of public rooms."""


def read_summary(document: Document) -> RoomSummary:
    """Return the room as of an entry."""
    became = document["became"]
    return RoomSummary(
        kind=became["kind"],
        title=became["title"],
        members_count=became["count"],
        last_membership_change=became["shaped"],
    )


def listing_document(before: RoomSummary | None, after: RoomSummary) -> Document:
    """Return ``listed`` of an entry, or nothing if the entry changes nothing in the list of public rooms.

    Args:
        before: the room below the entry; None if the entry opens the room.
        after: the room as of the entry.
    """
    title = _public_title(after)
    if title == (_public_title(before) if before else None):
        return {}
    return {"listed": None if title is None else title_form(title)}


def _public_title(summary: RoomSummary) -> str | None:
    """Return the title under which a room is found; None for a room that is not public or has no members."""
    return (summary.title or "") if summary.kind == "public" and summary.members_count else None


def affects_document(members: Mapping[UserId, Membership | None]) -> list[Document]:
    """Return ``affects`` of an entry.

    Args:
        members: the memberships that the entry changed, as of the entry; None for a user who has left.
    """
    return [
        {"user": user, "role": member.role, "since": member.since, "standing": member.state}
        if member
        else {"user": user, "standing": None}
        for user, member in members.items()
    ]


def read_affects(document: Document) -> Mapping[UserId, Membership | None]:
    """Return the memberships that an entry changed, as of the entry; None for a user who has left."""
    return {
        row["user"]: _membership(row["role"], row["since"], row["standing"]) if row["standing"] else None
        for row in document["affects"]
    }


@lru_cache(4096)  # a membership cannot change, and those of most rooms are alike
def _membership(role: Role, since: Seq, state: MembershipState) -> Membership:
    return Membership(role, since, state)


def members_document(members: Mapping[UserId, Seq]) -> list[Document]:
    return [{"user": user, "since": since} for user, since in members.items()]


def read_members(document: Document) -> Mapping[UserId, Seq]:
    """Return the seq since which each user is a member, from an entry that lists all members."""
    return {row["user"]: row["since"] for row in document["members"]}


def message_document(summary: MessageSummary) -> Document:
    reactions = [
        {"emoji": emoji, "count": reaction.count, "users": list(reaction.users)}
        for emoji, reaction in summary.reactions.items()
    ]
    return {"version": summary.version, "edit": summary.last_edit, "reactions": reactions}


def read_message(document: Document) -> MessageSummary:
    """Return the message as of an entry that changes it."""
    message = document["message"]
    reactions = {row["emoji"]: Reaction(count=row["count"], users=row["users"]) for row in message["reactions"]}
    return MessageSummary(version=message["version"], last_edit=message["edit"], reactions=reactions)


def roster_documents(room: RoomId, upto: Seq, members: Mapping[UserId, Membership]) -> tuple[Document, list[Document]]:
    """Return the document of a roster, with the first user of each part, and its parts."""
    rows = [[user, member.role, member.since, member.state] for user, member in sorted(members.items())]
    parts = [rows[start : start + ROSTER_PART] for start in range(0, len(rows), ROSTER_PART)]
    roster = {"_id": room, "upto": upto, "count": len(rows), "firsts": [part[0][0] for part in parts]}
    return roster, [{"_id": roster_part_id(room, upto, n), "members": part} for n, part in enumerate(parts)]


def roster_part_id(room: RoomId, upto: Seq, number: int) -> str:
    """Return the id of a part. Ids are in the order of ``upto``, then of the numbers."""
    return f"{room}\0{upto:019}\0{number:06}"


def read_roster(parts: Sequence[Document]) -> dict[UserId, Membership]:
    return {user: Membership(*row) for part in parts for user, *row in part["members"]}


def marker_id(room: RoomId, user: UserId) -> str:
    return f"{room}\0{user}"


def block_id(user: UserId, other: UserId) -> str:
    return f"{user}\0{other}"


def block_document(user: UserId, other: UserId) -> Document:
    return {"_id": block_id(user, other), "user": user, "other": other, "ts": _SERVER_TIME}


def marker_document(room: RoomId, user: UserId, since: Seq) -> Document:
    """Return the first marker of a member since ``since``."""
    start = _first_position(since)
    positions = {"read": start, "delivered": start, "unread_from": None, "muted": False}
    return {"_id": marker_id(room, user), "since": since, **positions}


def read_marker(document: Document | None, since: Seq) -> Marker:
    """Return the marker of a member since ``since``. A document from an earlier membership does not count."""
    if document is None or document["since"] != since:
        return _first_marker(since)
    return Marker(document["read"], document["delivered"], document["unread_from"], document["muted"])


@lru_cache(4096)  # as of memberships
def _first_marker(since: Seq) -> Marker:
    return Marker(_first_position(since), _first_position(since))


def _first_position(since: Seq) -> Seq:
    """Return the position at which a new marker starts.

    Members that the first entry names have all entries unread, later members only those after their own.
    """
    return 0 if since == 1 else since


def page_token(room: RoomId, at: int) -> PageToken:
    """Return a room's place in lists.

    Its number is 62 bits of a hash of the room's id, so that no store has to count rooms.

    Args:
        room: the room.
        at: the time of its last entry, in milliseconds since 1970.
    """
    return PageToken(at, int.from_bytes(hashlib.sha256(room.encode()).digest()[:8], "big") >> 2)


def is_listed(member: Membership | None) -> bool:
    """Return whether the room is in the user's list."""
    return member is not None and member.state != "banned"
