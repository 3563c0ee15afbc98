"""The queries of the store. Each is served by one index, without a scan or a sort; a test explains all of them."""

from collections.abc import Collection, Mapping, Sequence

from attrs import frozen
from bson import ObjectId, Timestamp

from chatcore.domain.blocks import BlockedPair
from chatcore.domain.names import end_of_prefix
from chatcore.domain.page_tokens import TitlePlace
from chatcore.domain.state import UNREAD_MAX
from chatcore.ids import Key, RoomId, Seq, UserId

from .documents import BLOCKS, ENTRIES, LAST_SEEN, MARKERS, META, ROSTERS, Document, block_id, marker_id, roster_part_id
from .migrations import STORE

SEQ_MAX = 2**63 - 1
ROOMS_TOGETHER = 50
"""The most rooms in one document of `room_parts`: their last entries must not exceed the size of a document."""


@frozen
class Query:
    """The stages of an aggregation of one collection."""

    collection: str
    stages: Sequence[Document]


_AS_WRITTEN: Document = {"$project": {"_id": 0, "ts": 0, "became": 0, "affects": 0, "members": 0, "message": 0}}
"""Keeps only the fields that `read_entry` needs. The driver decodes ids and times slowest."""
_WITH_SUMMARY: Document = {"$project": {"_id": 0, "ts": 0, "became": 0, "affects": 0, "members": 0}}
"""The same, and the summary of the message that the entry changes."""
_WITH_TIME: Document = {"$project": {"_id": 0, "became": 0, "affects": 0, "members": 0, "message": 0}}
"""As written, and the server's time of the entry."""
_LAST_OF_EACH: Sequence[Document] = (
    {"$sort": {"room": -1, "seq": -1}},
    {"$group": {"_id": "$room", "entry": {"$first": "$$ROOT"}}},
    {"$replaceRoot": {"newRoot": "$entry"}},
)
"""Keeps the last entry of each room, which the server finds in the index without a look at the others."""


def _entries(*stages: Document) -> Query:
    return Query(ENTRIES, stages)


def head(room: RoomId) -> Query:
    """Query the last entry of a room."""
    return _entries({"$match": {"room": room}}, {"$sort": {"room": -1, "seq": -1}}, {"$limit": 1})


def entry_at(room: RoomId, seq: Seq) -> Query:
    return _entries({"$match": {"room": room, "seq": seq}})


def message_at(room: RoomId, seq: Seq) -> Query:
    return _entries({"$match": {"room": room, "seq": seq, "kind": "message"}})


def above(room: RoomId, seq: Seq, upto: Seq, limit: int) -> Query:
    """Query up to ``limit`` entries above ``seq``, up to ``upto``, ascending."""
    return _in_order({"room": room, "seq": {"$gt": seq, "$lte": upto}}, 1, limit)


def messages_above(room: RoomId, seq: Seq, upto: Seq, limit: int) -> Sequence[Query]:
    """Query up to ``limit`` messages above ``seq``, up to ``upto``, ascending: those not deleted, and the deleted."""
    return _messages_in_order({"room": room, "seq": {"$gt": seq, "$lte": upto}}, 1, limit)


def above_each(ranges: Mapping[RoomId, tuple[Seq, Seq]]) -> Query:
    """Query the entries of several rooms above a seq and up to another, in any order."""
    some = [{"room": room, "seq": {"$gt": after, "$lte": upto}} for room, (after, upto) in ranges.items()]
    return _entries({"$match": {"$or": some}}, _WITH_SUMMARY)


def below(room: RoomId, seq: Seq, limit: int) -> Query:
    """Query up to ``limit`` entries below ``seq``, descending."""
    return _in_order({"room": room, "seq": {"$lt": seq}}, -1, limit)


def messages_below(room: RoomId, seq: Seq, limit: int) -> Sequence[Query]:
    """Query up to ``limit`` messages below ``seq``, descending: those not deleted, and the deleted."""
    return _messages_in_order({"room": room, "seq": {"$lt": seq}}, -1, limit)


def newest(room: RoomId, limit: int) -> Query:
    """Query up to ``limit`` entries at the end of a room, descending, with what they change."""
    return _in_order({"room": room, "seq": {"$lt": SEQ_MAX}}, -1, limit, _WITH_SUMMARY)


def _in_order(match: Document, direction: int, limit: int, fields: Document = _AS_WRITTEN) -> Query:
    return _entries({"$match": match}, {"$sort": {"room": direction, "seq": direction}}, {"$limit": limit}, fields)


def _messages_in_order(match: Document, direction: int, limit: int) -> Sequence[Query]:
    order = dict.fromkeys(("room", "kind", "deleted", "seq"), direction)
    return [
        _entries(
            {"$match": {**match, "kind": "message", "deleted": deleted}},
            {"$sort": order},
            {"$limit": limit},
            _AS_WRITTEN,
        )
        for deleted in ({"$ne": True}, True)
    ]


def by_id(ids: Collection[ObjectId]) -> Query:
    return _entries({"$match": {"_id": {"$in": list(ids)}}})


def holders(room: RoomId, author: UserId, keys: Sequence[Key]) -> Query:
    """Query the entries of one author with one of the idempotency keys."""
    return _entries({"$match": {"room": room, "author": author, "key": {"$in": list(keys)}}})


def heads(rooms: Collection[RoomId]) -> Query:
    """Query ``{_id: room, seq, at, entry}`` of each room: the seq, time and ``_id`` of its last entry."""
    last = {"seq": {"$first": "$seq"}, "at": {"$first": "$at"}, "entry": {"$first": "$_id"}}
    return _entries(
        {"$match": {"room": {"$in": list(rooms)}}},
        {"$sort": {"room": -1, "seq": -1}},
        {"$group": {"_id": "$room", **last}},
    )


def seqs(rooms: Collection[RoomId]) -> Query:
    """Query ``{_id: room, seq}`` of the last entry of each room. The index alone answers this query."""
    return _entries(
        {"$match": {"room": {"$in": list(rooms)}}},
        {"$sort": {"room": -1, "seq": -1}},
        {"$group": {"_id": "$room", "seq": {"$first": "$seq"}}},
    )


def last_entries(rooms: Collection[RoomId]) -> Query:
    """Query the last entry of each room."""
    return _entries({"$match": {"room": {"$in": list(rooms)}}}, *_LAST_OF_EACH)


def own_changes(user: UserId, limit: int) -> Query:
    """Query ``{_id, room, seq, affects, members}`` of up to ``limit`` entries that changed memberships of a user."""
    match, project = membership_changes([user], None).stages
    return _entries(match, {"$limit": limit}, {"$project": {**project["$project"], "members": 1}})


def rooms_of(user: UserId) -> Query:
    """Query ``{_id: room}`` of each room with a membership change of a user. The index alone answers this query."""
    return _entries({"$match": {"affects.user": user}}, {"$group": {"_id": "$room"}})


def room_parts(rooms: Collection[RoomId], users: Collection[UserId]) -> Sequence[Query]:
    """Query what the views of rooms consist of, as of their heads.

    A document ``{entries, listings, markers}`` has the last entries of up to `ROOMS_TOGETHER` rooms, the last entries
    that changed their memberships, and the markers of the members that these list and of ``users``.
    """
    return [_room_parts(last_entries(some).stages, some, users) for some in _groups(list(rooms), ROOMS_TOGETHER)]


def room_parts_at(entries: Mapping[RoomId, ObjectId], users: Collection[UserId]) -> Sequence[Query]:
    """Query the same as `room_parts`, as of the entries with these ids."""
    return [
        _room_parts([{"$match": {"_id": {"$in": [entries[room] for room in some]}}}], some, users)
        for some in _groups(list(entries), ROOMS_TOGETHER)
    ]


def _room_parts(last: Sequence[Document], rooms: Sequence[RoomId], users: Collection[UserId]) -> Query:
    own = [marker_id(room, user) for room in rooms for user in users]
    listed: Document = {
        "$map": {
            "input": {"$ifNull": ["$$this.members", []]},
            "as": "member",
            "in": {"$concat": ["$$this.room", "\0", "$$member.user"]},
        }
    }
    marker_ids = {
        "$reduce": {
            "input": "$listings",
            "initialValue": {"$literal": own},
            "in": {"$setUnion": ["$$value", listed]},
        }
    }
    # The server looks up all ids of a list by one query.
    return _entries(
        *last,
        {"$group": {"_id": None, "entries": {"$push": "$$ROOT"}}},
        {
            "$lookup": {
                "from": ENTRIES,
                "localField": "entries.became.shaped",
                "foreignField": "_id",
                "pipeline": [{"$project": {"room": 1, "members": 1}}],
                "as": "listings",
            }
        },
        {"$set": {"marker_ids": marker_ids}},
        {"$lookup": {"from": MARKERS, "localField": "marker_ids", "foreignField": "_id", "as": "markers"}},
        {"$project": {"_id": 0, "entries": 1, "listings": 1, "markers": 1}},
    )


def _groups(rooms: Sequence[RoomId], size: int) -> Sequence[Sequence[RoomId]]:
    return [rooms[start : start + size] for start in range(0, len(rooms), size)]


def pending_erasures(rooms: Collection[RoomId]) -> Query:
    """Query ``{_id, room, about}`` of the deletions with a text that is not erased yet. There are hardly ever any."""
    return _entries({"$match": {"pending": True, "room": {"$in": list(rooms)}}}, {"$project": {"room": 1, "about": 1}})


def all_pending_erasures(limit: int) -> Query:
    """Query the same as `pending_erasures` in all rooms."""
    return _entries({"$match": {"pending": True}}, {"$limit": limit}, {"$project": {"room": 1, "about": 1}})


def membership_changes(users: Collection[UserId], rooms: Collection[RoomId] | None, upto: Seq | None = None) -> Query:
    """Query ``{room, seq, affects}`` of the entries that changed memberships of these users, in any order.

    Args:
        users: the users; ``affects`` leaves out others.
        rooms: the rooms; None for all.
        upto: the last seq; None for no bound.
    """
    match: Document = {"affects.user": {"$in": list(users)}}
    if rooms is not None:
        match["room"] = {"$in": list(rooms)}
    if upto is not None:
        match["seq"] = {"$lte": upto}
    affects = {"$filter": {"input": "$affects", "cond": {"$in": ["$$this.user", {"$literal": list(users)}]}}}
    return _entries({"$match": match}, {"$project": {"room": 1, "seq": 1, "affects": affects}})


def room_membership_changes(room: RoomId, after: Seq, upto: Seq, limit: int | None = None) -> Query:
    """Query ``{seq, affects}`` of the entries above ``after`` that changed memberships of a room, ascending."""
    limited: list[Document] = [] if limit is None else [{"$limit": limit}]
    return _entries(
        {"$match": {"room": room, "seq": {"$gt": after, "$lte": upto}, "shape": True}},
        {"$sort": {"room": 1, "seq": 1}},
        *limited,
        {"$project": {"seq": 1, "affects": 1}},
    )


def epoch() -> Query:
    """Query ``{epoch}`` of the store; nothing if the store is gone."""
    return Query(META, [{"$match": STORE}, {"$project": {"_id": 0, "epoch": 1}}])


def roster(room: RoomId) -> Query:
    """Query the stored roster of a room, without its parts."""
    return Query(ROSTERS, [{"$match": {"_id": room}}])


def roster_parts(room: RoomId, upto: Seq, parts: range) -> Query:
    """Query these parts of the roster as of ``upto``."""
    first, end = (roster_part_id(room, upto, number) for number in (parts.start, parts.stop))
    return Query(ROSTERS, [{"$match": {"_id": {"$gte": first, "$lt": end}}}])


def last_changes(room: RoomId, targets: Collection[Seq], upto: Seq) -> Query:
    """Query ``{_id: the message's seq, room, message}`` of each changed message, as of ``upto``.

    Args:
        room: the room.
        targets: the messages' seqs, or a range of seqs with any entries in it.
        upto: the last seq.
    """
    about = {"$gte": targets.start, "$lt": targets.stop} if isinstance(targets, range) else {"$in": list(targets)}
    last = {"room": {"$first": "$room"}, "message": {"$first": "$message"}}
    return _entries(
        {"$match": {"room": room, "about": about, "seq": {"$lte": upto}}},
        {"$sort": {"room": -1, "about": -1, "seq": -1}},
        {"$group": {"_id": "$about", **last}},
    )


def reactions_of(room: RoomId, users: Collection[UserId], targets: Collection[Seq], upto: Seq) -> Query:
    """Query ``{room, author, about, seq, kind, event}`` of reactions by these users to these messages, in any order."""
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
    """Query ``{author, seq, kind, event}`` of the entries that change a message, ascending."""
    return _entries(
        {"$match": {"room": room, "about": target, "seq": {"$lte": upto}}},
        {"$sort": {"room": 1, "about": 1, "seq": 1}},
        {"$project": {"author": 1, "seq": 1, "kind": 1, "event": 1}},
    )


def _unread(room: RoomId, user: UserId, read: Seq, upto: Seq, erased: Collection[Seq]) -> list[Document]:
    match: Document = {
        "room": room,
        "kind": "message",
        "seq": {"$gt": read, "$lte": upto},
        "author": {"$ne": user},
        "deleted": {"$ne": True},
    }
    if erased:
        match["$nor"] = [{"seq": {"$in": list(erased)}}]
    # `deleted` has one value: in this order the index yields messages by seq, without the deleted ones between them.
    return [{"$match": match}, {"$sort": {"room": 1, "kind": 1, "deleted": 1, "seq": 1}}]


def first_unread(room: RoomId, user: UserId, read: Seq, upto: Seq, erased: Collection[Seq]) -> Query:
    """Query ``{seq}`` of the user's first unread message.

    Args:
        room: the room.
        user: the reading user; the user's own messages are not unread.
        read: the seq up to which the user has read.
        upto: the last seq.
        erased: deleted messages that the database may still hold as not deleted.
    """
    return _entries(*_unread(room, user, read, upto, erased), {"$limit": 1}, {"$project": {"_id": 0, "seq": 1}})


def unread(room: RoomId, user: UserId, read: Seq, upto: Seq, erased: Collection[Seq]) -> Query:
    """Query ``{room, user, n}`` with the number of unread messages, at most `UNREAD_MAX`.

    The arguments are those of `first_unread`.
    """
    return _entries(
        *_unread(room, user, read, upto, erased),
        {"$limit": UNREAD_MAX},
        {"$count": "n"},
        {"$addFields": {"room": {"$literal": room}, "user": {"$literal": user}}},
    )


def unread_between(user: UserId, rooms: Collection[RoomId], read: Seq, upto: Seq) -> Query:
    """Query ``{_id: room, seqs}`` of the messages of other users above ``read``, up to ``upto``, in each room.

    The index alone answers this query.
    """
    match = {
        "room": {"$in": list(rooms)},
        "kind": "message",
        "seq": {"$gt": read, "$lte": upto},
        "author": {"$ne": user},
        "deleted": {"$ne": True},
    }
    return _entries({"$match": match}, {"$group": {"_id": "$room", "seqs": {"$push": "$seq"}}})


def begins_with(prefix: str) -> Document:
    """Return the condition on a text to begin with ``prefix``."""
    return {"$gte": prefix, **_below_end(prefix)}


def _below_end(prefix: str) -> Document:
    end = end_of_prefix(prefix)
    return {} if end is None else {"$lt": end}


def public_rooms(prefix: str, start: TitlePlace, limit: int) -> Sequence[Query]:
    """Query ``{listed, room, seq, title}`` of up to ``limit`` rooms with each query, ascending, above ``start``.

    The rooms of the first query are below those of the second. A room may come more than once, also under titles that
    it had. The index alone answers these queries.
    """
    matches: list[Document] = [{"listed": {"$gt" if start.room else "$gte": start.form, **_below_end(prefix)}}]
    if start.room and start.form.startswith(prefix):
        matches.insert(0, {"listed": start.form, "room": {"$gt": start.room}})
    return [
        _entries(
            {"$match": match},
            {"$sort": {"listed": 1, "room": 1, "seq": 1}},
            {"$limit": limit},
            {"$project": {"_id": 0, "listed": 1, "room": 1, "seq": 1, "title": "$became.title"}},
        )
        for match in matches
    ]


def former_titles(room: RoomId, below: Seq) -> Document:
    """Return the condition on entries of a room below a seq that have the room in the index of titles."""
    return {"room": room, "seq": {"$lt": below}, "listed": {"$gte": ""}}


def markers(ids: Collection[str]) -> Query:
    return Query(MARKERS, [{"$match": {"_id": {"$in": list(ids)}}}])


def blocks(pairs: Collection[BlockedPair]) -> Query:
    """Query those of ``pairs`` that are blocks."""
    return Query(BLOCKS, [{"$match": {"_id": {"$in": [block_id(*pair) for pair in pairs]}}}])


def blocks_of(user: UserId, limit: int | None = None) -> Query:
    """Query ``{other}`` of the blocks of a user. The index alone answers this query."""
    limited: list[Document] = [] if limit is None else [{"$limit": limit}]
    return Query(BLOCKS, [{"$match": {"user": user}}, *limited, {"$project": {"_id": 0, "other": 1}}])


def blocks_above(time: Timestamp) -> Query:
    return Query(BLOCKS, [{"$match": {"ts": {"$gt": time}}}])


def last_seen(users: Collection[UserId]) -> Query:
    return Query(LAST_SEEN, [{"$match": {"_id": {"$in": list(users)}}}])


def newest_block() -> Query:
    return Query(BLOCKS, [{"$sort": {"ts": -1}}, {"$limit": 1}])


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
"""Makes one change of each entry that changes memberships, and one of all other entries of a room in one second."""


def newest_change() -> Query:
    return _entries({"$sort": {"ts": -1}}, {"$limit": 1}, _CHANGES)


def changes(above: Timestamp, limit: int) -> Query:
    """Query ``{_id: {room, second, shape}, ts, seq, kind, affects, entries}`` of the first entries above a time.

    Args:
        above: the server's time of an entry.
        limit: the most entries, not changes. ``entries`` is the number of entries of a change.
    """
    return _entries({"$match": {"ts": {"$gt": above}}}, {"$sort": {"ts": 1}}, {"$limit": limit}, _CHANGES)


def changes_between(begin: Timestamp, end: Timestamp) -> Query:
    """Query the same as `changes`, of the entries with times from ``begin`` to ``end``, both included."""
    return _entries({"$match": _between(begin, end)}, _CHANGES)


def seconds_of_changes(begin: Timestamp, end: Timestamp) -> Query:
    """Query ``{second, entries}``: the number of entries in each second from ``begin`` to ``end`` that has any.

    The index alone answers this query.
    """
    return _entries(
        {"$match": _between(begin, end)},
        {"$group": {"_id": {"$tsSecond": "$ts"}, "entries": {"$sum": 1}}},
        {"$project": {"_id": 0, "second": "$_id", "entries": 1}},
    )


def entries_by_time(above: Timestamp, limit: int) -> Query:
    """The first ``limit`` entries above a time, in the order of their times, which ``ts`` is."""
    return _entries({"$match": {"ts": {"$gt": above}}}, {"$sort": {"ts": 1}}, {"$limit": limit}, _WITH_TIME)


def entries_between(room: RoomId, after: Seq, upto: Seq) -> Query:
    """The entries of a room above ``after``, up to ``upto``, with their times."""
    return _entries({"$match": {"room": room, "seq": {"$gt": after, "$lte": upto}}}, _WITH_TIME)


def rooms_between(begin: Timestamp, end: Timestamp) -> Query:
    """``{_id: {room, second}, first, last, ts, entries}`` of the entries of a room with times in a second.

    Args:
        begin: the first time.
        end: the last time, included.
    """
    group: Document = {
        "_id": {"room": "$room", "second": {"$tsSecond": "$ts"}},
        "first": {"$min": "$seq"},
        "last": {"$max": "$seq"},
        "ts": {"$max": "$ts"},
        "entries": {"$sum": 1},
    }
    return _entries({"$match": _between(begin, end)}, {"$group": group})


def _between(begin: Timestamp, end: Timestamp) -> Document:
    return {"ts": {"$gte": begin, "$lte": end}}
