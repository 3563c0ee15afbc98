"""Public rooms by their titles.

An entry that gives a public room another title, or its first member, has the form of the title in an index. Its writer
takes the room out of the index under the title that it had before. A reader leaves out what a writer has left behind,
and takes it out.
"""

import contextlib
from collections.abc import Collection, Sequence
from typing import TypeAlias

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from chatcore.domain.page_tokens import TitlePlace
from chatcore.domain.state import Membership, RoomView
from chatcore.errors import Unavailable
from chatcore.ids import RoomId, UserId
from chatcore.ports.room_views import PUBLIC_ROOMS_LOOKED_AT, RoomPage

from . import queries
from .database import MongoDatabase
from .documents import ENTRIES, UNLIST, Document, read_summary
from .memberships import memberships_at
from .read_session import ReadSession, complete
from .room_views import read_parts

Found: TypeAlias = tuple[TitlePlace, Document]
"""A room's place in the index, and a document of `queries.public_rooms`."""


async def page(database: MongoDatabase, user: UserId, prefix: str, start: TitlePlace, limit: int) -> RoomPage:
    """Return a page of public rooms above ``start``, as `RoomViews.public_rooms` says."""
    async with database.read_session() as session:
        found = await session.fetch(*queries.public_rooms(prefix, start, PUBLIC_ROOMS_LOOKED_AT))
        rows = [row for rows in found for row in rows][:PUBLIC_ROOMS_LOOKED_AT]
        places = [(TitlePlace(row["listed"], row["room"]), row) for row in rows]
        banned = await _banned(session, user, {row["room"] for row in rows})
        allowed = [(place, row) for place, row in places if row["room"] not in banned]
        shown, stale = await _shown(session, user, allowed[:limit])
    if stale:
        await _unlist(database, stale)
    if len(allowed) > limit:
        return RoomPage(rooms=shown, next=allowed[limit - 1][0].encoded())
    return RoomPage(rooms=shown, next=places[-1][0].encoded() if len(rows) == PUBLIC_ROOMS_LOOKED_AT else None)


async def _banned(session: ReadSession, user: UserId, rooms: Collection[RoomId]) -> Collection[RoomId]:
    """Return those of ``rooms`` from which the user is banned by now."""
    if not rooms:
        return ()
    (changes,) = await session.fetch(queries.membership_changes([user], sorted(rooms)))
    by_now = memberships_at(changes, dict.fromkeys(rooms, queries.SEQ_MAX))
    return {room for (room, _), member in by_now.items() if _is_banned(member)}


async def _shown(
    session: ReadSession, user: UserId, found: Sequence[Found]
) -> tuple[Sequence[RoomView], list[Document]]:
    """Return the views of the rooms that are at their place as of their heads, and the rows of the others."""
    rooms = list(dict.fromkeys(place.room for place, _ in found))
    if not rooms:
        return (), []
    builder = await read_parts(session, queries.room_parts(rooms, [user]), rooms, [user])
    complete(list(builder.entries.values()), len(rooms))
    shown: dict[RoomId, Document] = {}
    stale: list[Document] = []
    for place, row in found:
        entry = builder.entries[place.room]
        summary = read_summary(entry)
        if summary.members_count == 0 or summary.title != row["title"]:
            stale.append(row)
        elif not _is_banned(builder.memberships.get((place.room, user))):
            shown[place.room] = entry
    views, _ = await builder.build(session, list(shown.values()), [user])
    return [views[room, user] for room in shown], stale


def _is_banned(member: Membership | None) -> bool:
    return member is not None and member.state == "banned"


async def _unlist(database: MongoDatabase, stale: Sequence[Document]) -> None:
    """Take entries out of the index. A failure only makes later reads look at them again."""
    updates = [UpdateOne({"room": row["room"], "seq": row["seq"]}, UNLIST) for row in stale]

    async def work(mongo: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        await mongo[ENTRIES].bulk_write(updates, ordered=False, session=session)

    with contextlib.suppress(Unavailable):
        await database.write(work)
