"""Every query of the log that the store makes. A test looks at the plan of each: none may scan or sort.

Several go to the server together, in one round trip, and are carried out in their order. A test of the plans holds
each of them to its index.
"""

from collections.abc import Collection, Sequence

from attrs import frozen
from bson import Timestamp

from chatcore.domain.state import UNREAD_MAX
from chatcore.ids import Key, RoomId, Seq, UserId

from .documents import ENTRIES, MARKERS, META, ROSTERS, Document
from .migrations import STORE


@frozen
class Query:
    """What is asked of one collection."""

    collection: str
    stages: Sequence[Document]


_AS_WRITTEN: Document = {"$project": {"_id": 0, "ts": 0, "became": 0, "affects": 0, "members": 0, "message": 0}}
"""Leaves out what a page does not need: ids and times are what the driver takes longest to read."""


def _entries(*stages: Document) -> Query:
    return Query(ENTRIES, stages)


def head(room: RoomId) -> Query:
    """The last entry of a room."""
    return _entries({"$match": {"room": room}}, {"$sort": {"room": -1, "seq": -1}}, {"$limit": 1})


def entry_at(room: RoomId, seq: Seq) -> Query:
    return _entries({"$match": {"room": room, "seq": seq}})


def message_at(room: RoomId, seq: Seq) -> Query:
    return _entries({"$match": {"room": room, "seq": seq, "kind": "message"}})


def above(room: RoomId, seq: Seq, upto: Seq, limit: int, *, messages_only: bool = False) -> Query:
    """Up to ``limit`` entries above ``seq``, up to ``upto``, ascending."""
    place = {"room": room, "seq": {"$gt": seq, "$lte": upto}}
    return _in_order(place, 1, limit, messages_only)


def below(room: RoomId, seq: Seq, limit: int, *, messages_only: bool = False) -> Query:
    """Up to ``limit`` entries below ``seq``, descending."""
    return _in_order({"room": room, "seq": {"$lt": seq}}, -1, limit, messages_only)


def _in_order(place: Document, direction: int, limit: int, messages_only: bool) -> Query:
    if messages_only:
        order = {"room": direction, "kind": direction, "seq": direction}
        return _entries({"$match": {**place, "kind": "message"}}, {"$sort": order}, {"$limit": limit}, _AS_WRITTEN)
    return _entries({"$match": place}, {"$sort": {"room": direction, "seq": direction}}, {"$limit": limit}, _AS_WRITTEN)


def message_beyond(room: RoomId, place: Document, direction: int, count: int) -> Query:
    """``{seq}`` of the message that comes after ``count`` others, from a place that is a condition on seq."""
    order = {"room": direction, "kind": direction, "seq": direction}
    return _entries(
        {"$match": {"room": room, "kind": "message", "seq": place}},
        {"$sort": order},
        {"$skip": count},
        {"$limit": 1},
        {"$project": {"_id": 0, "seq": 1}},
    )


def by_id(identities: Collection[object]) -> Query:
    return _entries({"$match": {"_id": {"$in": list(identities)}}})


def holders(room: RoomId, author: UserId, keys: Sequence[Key]) -> Query:
    """The entries that hold keys of one author."""
    return _entries({"$match": {"room": room, "author": author, "key": {"$in": list(keys)}}})


def heads(rooms: Collection[RoomId]) -> Query:
    """Of each room ``{_id: room, seq, at, entry}``: where its last entry stands, and the ``_id`` of that."""
    last = {"seq": {"$first": "$seq"}, "at": {"$first": "$at"}, "entry": {"$first": "$_id"}}
    return _entries(
        {"$match": {"room": {"$in": list(rooms)}}},
        {"$sort": {"room": -1, "seq": -1}},
        {"$group": {"_id": "$room", **last}},
    )


def pending_erasures(rooms: Collection[RoomId]) -> Query:
    """The deletions in these rooms whose text is still to be erased: hardly ever any."""
    return _entries(
        {"$match": {"pending": True, "room": {"$in": list(rooms)}}}, {"$project": {"room": 1, "about": 1, "seq": 1}}
    )


def all_pending_erasures(limit: int) -> Query:
    return _entries({"$match": {"pending": True}}, {"$limit": limit}, {"$project": {"room": 1, "about": 1, "seq": 1}})


def membership_changes(users: Collection[UserId], rooms: Collection[RoomId] | None, upto: Seq | None = None) -> Query:
    """The entries that changed the standing of these users, in some rooms or in all: ``{room, seq, affects}``."""
    match: Document = {"affects.user": {"$in": list(users)}}
    if rooms is not None:
        match["room"] = {"$in": list(rooms)}
    if upto is not None:
        match["seq"] = {"$lte": upto}
    theirs = {"$filter": {"input": "$affects", "cond": {"$in": ["$$this.user", {"$literal": list(users)}]}}}
    return _entries({"$match": match}, {"$project": {"room": 1, "seq": 1, "affects": theirs}})


def room_membership_changes(room: RoomId, after: Seq, upto: Seq, limit: int | None = None) -> Query:
    """The entries that changed who belongs to a room, ascending: ``{seq, affects}``."""
    some: list[Document] = [] if limit is None else [{"$limit": limit}]
    return _entries(
        {"$match": {"room": room, "seq": {"$gt": after, "$lte": upto}, "shape": True}},
        {"$sort": {"room": 1, "seq": 1}},
        *some,
        {"$project": {"seq": 1, "affects": 1}},
    )


def epoch() -> Query:
    """``{epoch}`` of the store, where it is there."""
    return Query(META, [{"$match": STORE}, {"$project": {"_id": 0, "epoch": 1}}])


def roster(room: RoomId) -> Query:
    return Query(ROSTERS, [{"$match": {"_id": room}}])


def last_changes(room: RoomId, targets: Collection[Seq], upto: Seq) -> Query:
    """Of each message that was changed ``{_id: its seq, room, entry, message}``, as of ``upto``.

    ``targets`` may be a range: of all messages in it, before it is known which they are.
    """
    about = {"$gte": targets.start, "$lt": targets.stop} if isinstance(targets, range) else {"$in": list(targets)}
    last = {"room": {"$first": "$room"}, "entry": {"$first": "$_id"}, "message": {"$first": "$message"}}
    return _entries(
        {"$match": {"room": room, "about": about, "seq": {"$lte": upto}}},
        {"$sort": {"room": -1, "about": -1, "seq": -1}},
        {"$group": {"_id": "$about", **last}},
    )


def reactions_of(room: RoomId, users: Collection[UserId], targets: Collection[Seq], upto: Seq) -> Query:
    """What these users gave to messages and took back, ascending for each of them."""
    return _entries(
        {
            "$match": {
                "room": room,
                "author": {"$in": list(users)},
                "about": {"$in": list(targets)},
                "seq": {"$lte": upto},
                "kind": "reacted",
            }
        },
        {"$project": {"room": 1, "author": 1, "about": 1, "seq": 1, "kind": 1, "event": 1}},
    )


def reactions_to(room: RoomId, target: Seq, upto: Seq) -> Query:
    """Everything that was given to a message and taken back, ascending."""
    return _entries(
        {"$match": {"room": room, "about": target, "seq": {"$lte": upto}}},
        {"$sort": {"room": 1, "about": 1, "seq": 1}},
        {"$project": {"author": 1, "seq": 1, "kind": 1, "event": 1}},
    )


def _unread(room: RoomId, user: UserId, read: Seq, upto: Seq, gone: Collection[Seq]) -> list[Document]:
    match: Document = {
        "room": room,
        "kind": "message",
        "seq": {"$gt": read, "$lte": upto},
        "author": {"$ne": user},
        "deleted": {"$ne": True},
    }
    if gone:
        match["$nor"] = [{"seq": {"$in": list(gone)}}]
    return [{"$match": match}, {"$sort": {"room": 1, "kind": 1, "seq": 1}}]


def first_unread(room: RoomId, user: UserId, read: Seq, upto: Seq, gone: Collection[Seq]) -> Query:
    """``{seq}`` of the first message that is unread; ``gone`` are deleted, erased or not."""
    return _entries(*_unread(room, user, read, upto, gone), {"$limit": 1}, {"$project": {"_id": 0, "seq": 1}})


def unread(room: RoomId, user: UserId, read: Seq, upto: Seq, gone: Collection[Seq]) -> Query:
    """``{room, user, n}``: how many are unread, or the most that is told."""
    return _entries(
        *_unread(room, user, read, upto, gone),
        {"$limit": UNREAD_MAX},
        {"$count": "n"},
        {"$addFields": {"room": {"$literal": room}, "user": {"$literal": user}}},
    )


def markers(identities: Collection[str]) -> Query:
    return Query(MARKERS, [{"$match": {"_id": {"$in": list(identities)}}}])


_CHANGES: Document = {
    "$group": {
        "_id": {"room": "$room", "second": {"$tsSecond": "$ts"}, "shape": {"$cond": ["$shape", "$seq", None]}},
        "ts": {"$max": "$ts"},
        "seq": {"$max": "$seq"},
        "kind": {"$first": "$kind"},
        "affects": {"$first": "$affects.user"},
        "entries": {"$sum": 1},
    }
}
"""An entry that changes who belongs to a room is a change of its own; a room's others of a second are one together."""


def newest_change() -> Query:
    return _entries({"$sort": {"ts": -1}}, {"$limit": 1}, _CHANGES)


def changes(above: Timestamp, limit: int) -> Query:
    """``{_id: {room, second}, ts, seq, kind, affects, entries}`` of the first entries above a time, in no order."""
    return _entries({"$match": {"ts": {"$gt": above}}}, {"$sort": {"ts": 1}}, {"$limit": limit}, _CHANGES)


def changes_between(begin: Timestamp, end: Timestamp) -> Query:
    """The same of the entries with times from ``begin`` to ``end``."""
    return _entries({"$match": _between(begin, end)}, _CHANGES)


def seconds_of_changes(begin: Timestamp, end: Timestamp) -> Query:
    """``{second, entries}``: how many entries have times in each of the seconds from ``begin`` to ``end``, where there
    are any: read from the index alone."""
    return _entries(
        {"$match": _between(begin, end)},
        {"$group": {"_id": {"$tsSecond": "$ts"}, "entries": {"$sum": 1}}},
        {"$project": {"_id": 0, "second": "$_id", "entries": 1}},
    )


def _between(begin: Timestamp, end: Timestamp) -> Document:
    return {"ts": {"$gte": begin, "$lte": end}}
