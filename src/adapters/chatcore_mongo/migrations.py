"""The migrations of the database: its epoch and indexes, in numbered steps that may run again."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen
from bson import Int64
from pymongo import IndexModel, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.domain.names import search_forms, title_form
from chatcore.errors import StoreError
from chatcore.ids import new_id

from .documents import ACCOUNTS, BLOCKS, ENTRIES, LAST_SEEN, MARKERS, META, ROSTERS, SESSIONS, SOCKETS, Document

OLDEST_SERVER = (6, 0)
UPDATES_TOGETHER = 1_000
STORE = {"_id": "store"}

_EXISTS = {"$exists": True}

LOG = [
    # If both seq and key are taken the server reports the first of these indexes.
    IndexModel([("room", 1), ("seq", 1)], name="by_seq", unique=True),
    IndexModel([("room", 1), ("author", 1), ("key", 1)], name="by_key", unique=True),
    IndexModel([("ts", 1)], name="by_ts"),
]
VIEWS = [
    IndexModel(
        [("affects.user", 1), ("room", 1), ("seq", 1)],
        name="by_affected",
        partialFilterExpression={"affects.user": _EXISTS},
    ),
    IndexModel([("room", 1), ("seq", 1)], name="shapes", partialFilterExpression={"shape": True}),
    IndexModel([("room", 1), ("about", 1), ("seq", 1)], name="changes", partialFilterExpression={"about": {"$gt": 0}}),
    IndexModel(
        [("room", 1), ("author", 1), ("about", 1), ("seq", 1)],
        name="reactions",
        partialFilterExpression={"kind": "reacted"},
    ),
    IndexModel([("pending", 1), ("room", 1)], name="pending", partialFilterExpression={"pending": True}),
]
MESSAGES = [
    IndexModel(
        [("room", 1), ("kind", 1), ("deleted", 1), ("seq", 1), ("author", 1)],
        name="messages_by_deletion",
        partialFilterExpression={"kind": "message"},
    )
]
PUBLIC = [
    IndexModel(
        [("listed", 1), ("room", 1), ("seq", 1), ("became.title", 1)],
        name="public_by_title",
        partialFilterExpression={"listed": {"$gte": ""}},
    ),
    IndexModel([("room", 1), ("seq", 1)], name="public", partialFilterExpression={"listed": {"$gte": ""}}),
]
BLOCKED = [
    IndexModel([("user", 1), ("other", 1)], name="by_user"),
    IndexModel([("ts", 1)], name="by_ts"),
]
BY_USER = [IndexModel([("user", 1)], name="by_user")]
BY_ID = [IndexModel([("_id", 1)], name="_id_")]
"""The index that every collection has. To make it makes the collection, which otherwise the first write does: for a
moment after that the server refuses reads of the collection."""


def _ending(field: str) -> IndexModel:
    """Return an index by which the server deletes documents some time after the date in ``field``."""
    return IndexModel([(field, 1)], name="ending", expireAfterSeconds=0)


@frozen
class Migration:
    """One step.

    Attributes:
        description: for the operator, as an imperative.
        apply: makes the step. A second call changes nothing.
        safe: whether a server may make the step while it starts. A step that takes long needs `chatcore migrate`.
    """

    description: str
    apply: Callable[[AsyncDatabase[Document]], Awaitable[Any]]
    safe: bool = True


async def _create_store(database: AsyncDatabase[Document]) -> None:
    with contextlib.suppress(DuplicateKeyError):  # another node has just created it
        await database[META].update_one(STORE, {"$setOnInsert": {"epoch": new_id()}}, upsert=True)


async def _index_messages(database: AsyncDatabase[Document]) -> None:
    await database[ENTRIES].create_indexes(MESSAGES)
    if "messages" in await database[ENTRIES].index_information():  # of earlier versions: deleted messages were amid it
        await database[ENTRIES].drop_index("messages")
    await database.drop_collection("rosters")


def _indexes(collection: str, indexes: Sequence[IndexModel]) -> Callable[[AsyncDatabase[Document]], Awaitable[Any]]:
    return lambda database: database[collection].create_indexes(list(indexes))


async def _note_forms(database: AsyncDatabase[Document]) -> None:
    """Add the forms of names to accounts that have none, and index them."""
    accounts, updates = database[ACCOUNTS], list[UpdateOne]()
    async for account in accounts.find({"forms": {"$exists": False}}, {"name": 1}):
        forms = search_forms(account["_id"], account["name"])
        updates.append(UpdateOne({"_id": account["_id"]}, {"$set": {"forms": forms}}))
        if len(updates) == UPDATES_TOGETHER:
            await accounts.bulk_write(updates)
            updates.clear()
    if updates:
        await accounts.bulk_write(updates)
    await accounts.create_indexes([IndexModel([("forms", 1)], name="by_form")])


async def list_public_rooms(database: AsyncDatabase[Document]) -> None:
    """Index public rooms by their titles: those that are there by the last entry of each, later ones by their own."""
    entries, updates = database[ENTRIES], list[UpdateOne]()
    await entries.create_indexes(PUBLIC)
    last: list[Document] = [
        {"$sort": {"room": -1, "seq": -1}},
        {"$group": {"_id": "$room", "entry": {"$first": "$_id"}, "became": {"$first": "$became"}}},
        {"$match": {"became.kind": "public", "became.count": {"$gt": 0}}},
    ]
    async for room in await entries.aggregate(last):
        listed = {"listed": title_form(room["became"]["title"] or "")}
        updates.append(UpdateOne({"_id": room["entry"]}, {"$set": listed}))
        if len(updates) == UPDATES_TOGETHER:
            await entries.bulk_write(updates)
            updates.clear()
    if updates:
        await entries.bulk_write(updates)


MIGRATIONS: Sequence[Migration] = (
    Migration("give the store its epoch", _create_store),
    Migration("index the logs by seq, key and time", _indexes(ENTRIES, LOG)),
    Migration("index memberships and changes", _indexes(ENTRIES, VIEWS)),
    Migration("let sessions end", _indexes(SESSIONS, [_ending("ends_at")])),
    Migration("index sockets by user, and let them end", _indexes(SOCKETS, [*BY_USER, _ending("kept_until")])),
    Migration("index messages apart from deleted ones", _index_messages),
    Migration("index blocks by user and time", _indexes(BLOCKS, BLOCKED)),
    Migration("index accounts by the forms of their names", _note_forms),
    Migration("make the collection of markers", _indexes(MARKERS, BY_ID)),
    Migration("make the collection of member lists", _indexes(ROSTERS, BY_ID)),
    Migration("index public rooms by their titles", list_public_rooms),
    Migration("make the collection of when users were last seen", _indexes(LAST_SEEN, BY_ID)),
)
"""Step n brings a database from version n - 1 to version n. Released steps never change; new ones follow them."""


async def _stored_version(database: AsyncDatabase[Document], where: str) -> int:
    """Return the database's version, 0 for a new one. Raises `StoreError` if it is invalid."""
    store = await database[META].find_one(STORE) or {}
    number = store.get("version", 0)
    if type(number) not in (int, Int64) or number < 0:
        raise StoreError(_damaged(where, "version is no whole number"))
    if store and not isinstance(store.get("epoch"), str):
        raise StoreError(_damaged(where, "epoch is missing or no text"))
    return int(number)


def _damaged(where: str, problem: str) -> str:
    return (
        f"The database at {where} was changed by another program than chatcore: in its collection `{META}` the "
        f"{problem}; restore a backup."
    )


async def check(database: AsyncDatabase[Document], where: str) -> int:
    """Return the database's version. Raises `StoreError` if it is newer than this program, or the server too old."""
    server = await database.client.server_info()
    if tuple(server["versionArray"][:2]) < OLDEST_SERVER:
        needed = ".".join(map(str, OLDEST_SERVER))
        raise StoreError(f"The server at {where} is MongoDB {server['version']}; {needed} or newer is needed.")
    number = await _stored_version(database, where)
    if number > len(MIGRATIONS):
        raise StoreError(
            f"The database at {where} was written by a newer chatcore (its version is {number}, this program knows up "
            f"to {len(MIGRATIONS)}); run that one, or restore a backup."
        )
    return number


def check_is_safe(version: int, where: str) -> None:
    """Raise `StoreError` if a migration from ``version`` may take too long for the start of a server."""
    if not all(migration.safe for migration in MIGRATIONS[version:]):
        raise StoreError(f"The database at {where} is older than this program: run `chatcore migrate` first.")


async def apply(
    database: AsyncDatabase[Document],
    version: int,
    announce: Callable[[int, int, str], None] = lambda number, count, description: None,
    *,
    dry_run: bool = False,
) -> None:
    """Apply the migrations that a database of ``version`` lacks. Several nodes may do so at the same time.

    Args:
        database: the database.
        version: its version.
        announce: called before each migration with its number, the number of migrations, and a description.
        dry_run: announce only, change nothing.
    """
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        announce(number, len(MIGRATIONS), migration.description)
        if not dry_run:
            await migration.apply(database)
            await database[META].update_one(STORE, {"$max": {"version": number}})


async def epoch(database: AsyncDatabase[Document]) -> str:
    """Return the store's epoch. Raises `StoreError` if the database was dropped while it was opened."""
    store = await database[META].find_one(STORE)
    if store is None:
        raise StoreError("The database was dropped while it was opened; start again.")
    return str(store["epoch"])
