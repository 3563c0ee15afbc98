"""What is kept, as documents: the one place that knows their shapes.

An entry carries what its room, and the message that it changes, have become with it. So what a room is as of any seq
stands in the entry there, whoever wrote it, and needs no second write::

    entries  {room, seq, author, key, at, digest, kind, event, opens?, ts,
              became: {kind, title, count, shaped},       the room; shaped: _id of the last shape
              shape?: true,                               it changed who belongs to the room, or as what:
              affects?: [{user, role, since, standing}],  whose standing, and what to
              members?: [{user, since}],                  and all members, where these are few
              about?: seq,                                the message that it changes
              message?: {version, edit, reactions},       what that has become; edit: _id of the last edited entry
              deleted?: true,                             the message's text is erased
              pending?: true}                             the deletion's text is still to be erased
    markers  {_id: room NUL user, since, read, delivered, unread_from, muted}
    rosters  {_id: room, upto, members: [[user, role, since, standing]]}    a view, right up to seq upto
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen
from bson import Int64, ObjectId, Timestamp

from chatcore.domain import serialization
from chatcore.domain.entries import Entry, Reaction, RoomKind
from chatcore.domain.message_projection import LastEdit
from chatcore.domain.page_tokens import PageToken, from_milliseconds
from chatcore.domain.state import MARKERS_SHOWN_TO, Marker, Member
from chatcore.ids import RoomId, Seq, UserId

Document: TypeAlias = dict[str, Any]

ENTRIES = "entries"
MARKERS = "markers"
ROSTERS = "rosters"
META = "meta"
ACCOUNTS = "accounts"
SESSIONS = "sessions"
SOCKETS = "sockets"

MEMBERS_LISTED = MARKERS_SHOWN_TO
"""An entry that changes who belongs to a room lists all members where they are no more than these."""

_SERVER_TIME = Timestamp(0, 0)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class Became:
    """A room as of one of its entries."""

    kind: RoomKind
    title: str | None
    count: int
    shaped: ObjectId
    """The entry that last changed who belongs to the room."""


@frozen(kw_only=True)
class Changed:
    """What a message has become with one of the entries that change it."""

    version: int = 1
    edit: ObjectId | None = None
    reactions: Mapping[str, Reaction] = field(factory=dict)


def entry_document(entry: Entry, became: Became, identity: ObjectId | None = None) -> Document:
    """An entry without what only some carry. The server fills in its own time, and an ``_id`` where none is given.

    ``data`` is kept as JSON text: BSON refuses keys that JSON allows, and would not keep numbers as they came.
    """
    document = serialization.entry_object(entry)
    if "data" in document["event"]:
        document["event"]["data"] = _encode(document["event"]["data"])
    if opens := document.get("opens"):
        opens["members"] = list(opens["members"].items())
    document["ts"] = _SERVER_TIME
    document["became"] = {"kind": became.kind, "title": became.title, "count": became.count, "shaped": became.shaped}
    if identity is not None:
        document["_id"] = identity
    return document


def read_entry(document: Document) -> Entry:
    stored: Document = document["event"]
    event: Document = {name: int(value) if isinstance(value, Int64) else value for name, value in stored.items()}
    if "data" in event:
        event["data"] = json.loads(event["data"])
    written = {**document, "event": event}
    if opens := document.get("opens"):
        written["opens"] = {**opens, "members": dict(opens["members"])}
    return serialization.read_entry(written)


def read_edit(document: Document, version: int) -> LastEdit:
    """The last edit of a message, from its entry."""
    at = from_milliseconds(document["at"])
    return LastEdit(version=version, body=document["event"].get("body"), at=at)


ERASED: Document = {"$unset": {"event.body": "", "event.data": ""}, "$set": {"digest": None}}
"""What a deletion does to the entries that hold the text, as `chatcore.domain.redaction.redacted` does."""
ERASED_MESSAGE: Document = {
    "$unset": ERASED["$unset"],
    "$set": {**ERASED["$set"], "event.deleted": True, "deleted": True},
}


def read_became(document: Document) -> Became:
    return Became(**document["became"])


def affects_document(members: Mapping[UserId, Member | None]) -> list[Document]:
    """What each user's standing has become; None for nobody of the room."""
    return [
        {"user": user, "role": member.role, "since": member.since, "standing": member.standing}
        if member
        else {"user": user, "standing": None}
        for user, member in members.items()
    ]


def read_affects(document: Document) -> Mapping[UserId, Member | None]:
    return {one["user"]: _read_member(one) for one in document["affects"]}


def _read_member(one: Document) -> Member | None:
    return Member(one["role"], one["since"], one["standing"]) if one["standing"] else None


def members_document(members: Mapping[UserId, Seq]) -> list[Document]:
    return [{"user": user, "since": since} for user, since in members.items()]


def read_members(document: Document) -> Mapping[UserId, Seq]:
    """Since when each member of a room is one; of an entry that lists them."""
    return {one["user"]: one["since"] for one in document["members"]}


def changed_document(changed: Changed) -> Document:
    reactions = [
        {"emoji": emoji, "count": reaction.count, "users": list(reaction.users)}
        for emoji, reaction in changed.reactions.items()
    ]
    return {"version": changed.version, "edit": changed.edit, "reactions": reactions}


def read_changed(document: Document) -> Changed:
    found = document["message"]
    reactions = {one["emoji"]: Reaction(count=one["count"], users=one["users"]) for one in found["reactions"]}
    return Changed(version=found["version"], edit=found["edit"], reactions=reactions)


def roster_document(room: RoomId, upto: Seq, members: Mapping[UserId, Member]) -> Document:
    rows = [[user, member.role, member.since, member.standing] for user, member in members.items()]
    return {"_id": room, "upto": upto, "members": rows}


def read_roster(document: Document) -> dict[UserId, Member]:
    return {user: Member(*row) for user, *row in document["members"]}


def marker_id(room: RoomId, user: UserId) -> str:
    return f"{room}\0{user}"


def start_of(since: Seq) -> Seq:
    """Where the marker of a member since ``since`` stands at first."""
    return 0 if since == 1 else since


def marker_document(room: RoomId, user: UserId, since: Seq) -> Document:
    """Where a user's marker stands at first."""
    start = start_of(since)
    where = {"read": start, "delivered": start, "unread_from": None, "muted": False}
    return {"_id": marker_id(room, user), "since": since, **where}


def read_marker(document: Document | None, since: Seq) -> Marker:
    """The marker of a member since ``since``; what is kept from before that counts no more."""
    if document is None or document["since"] != since:
        return Marker(start_of(since), start_of(since))
    return Marker(document["read"], document["delivered"], document["unread_from"], document["muted"])


def place_in_list(room: RoomId, at: int) -> PageToken:
    """A room's place in lists. Its number is 63 bits of a hash of its id: nobody has to give numbers out."""
    return PageToken(at, int.from_bytes(hashlib.sha256(room.encode()).digest()[:8], "big") >> 2)


def listed(member: Member | None) -> bool:
    """Whether a room is in its user's list."""
    return member is not None and member.standing != "banned"


def names(users: Sequence[UserId]) -> list[UserId]:
    """Each user once."""
    return list(dict.fromkeys(users))
