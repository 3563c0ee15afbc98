"""What the database must hold before it serves, as a numbered list of migrations, each of which may run again."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen
from bson import Int64
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chatcore.errors import StoreError
from chatcore.ids import new_id

from .documents import ENTRIES, META, SESSIONS, SOCKETS, Document

OLDEST_SERVER = (6, 0)
STORE = {"_id": "store"}

_EXISTS = {"$exists": True}

LOG = [
    # Where seq and key clash at once the first index is the one that is reported.
    IndexModel([("room", 1), ("seq", 1)], name="by_seq", unique=True),
    IndexModel([("room", 1), ("author", 1), ("key", 1)], name="by_key", unique=True),
    IndexModel([("ts", 1)], name="by_ts"),
]
VIEWS = [
    IndexModel(
        [("room", 1), ("kind", 1), ("seq", 1), ("author", 1), ("deleted", 1)],
        name="messages",
        partialFilterExpression={"kind": "message"},
    ),
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
BY_USER = [IndexModel([("user", 1)], name="by_user")]


def _ending(field: str) -> IndexModel:
    """Documents leave by themselves once their time has come."""
    return IndexModel([(field, 1)], name="ending", expireAfterSeconds=0)


@frozen
class Migration:
    """One step, and what the operator is told of it. One that is not ``safe`` takes long: servers do not make it."""

    what: str
    make: Callable[[AsyncDatabase[Document]], Awaitable[Any]]
    safe: bool = True


async def _name_the_store(database: AsyncDatabase[Document]) -> None:
    with contextlib.suppress(DuplicateKeyError):  # another node has just done it
        await database[META].update_one(STORE, {"$setOnInsert": {"epoch": new_id()}}, upsert=True)


def _indexes(collection: str, indexes: Sequence[IndexModel]) -> Callable[[AsyncDatabase[Document]], Awaitable[Any]]:
    return lambda database: database[collection].create_indexes(list(indexes))


MIGRATIONS: Sequence[Migration] = (
    Migration("give the store its epoch", _name_the_store),
    Migration("index the logs by seq, key and time", _indexes(ENTRIES, LOG)),
    Migration("index messages, memberships and changes", _indexes(ENTRIES, VIEWS)),
    Migration("let sessions end", _indexes(SESSIONS, [_ending("ends_at")])),
    Migration("index sockets by user, and let them end", _indexes(SOCKETS, [*BY_USER, _ending("kept_until")])),
)
"""Number n brings a database of version n - 1 to version n. What was released is never changed, only added to."""


async def version(database: AsyncDatabase[Document], where: str) -> int:
    """Raises `StoreError` where what stands there is none."""
    found = await database[META].find_one(STORE) or {}
    its_version = found.get("version", 0)
    if type(its_version) not in (int, Int64) or its_version < 0:
        raise StoreError(_damaged(where, "version is no whole number"))
    if found and not isinstance(found.get("epoch"), str):
        raise StoreError(_damaged(where, "epoch is missing or no text"))
    return int(its_version)


def _damaged(where: str, what: str) -> str:
    return (
        f"The database at {where} was changed by something else than chatcore: in its collection `{META}` the {what}; "
        "restore a backup."
    )


async def check(database: AsyncDatabase[Document], where: str) -> int:
    """The database's version. Raises `StoreError` where that is newer than this program, or the server too old."""
    server = await database.client.server_info()
    if tuple(server["versionArray"][:2]) < OLDEST_SERVER:
        needed = ".".join(map(str, OLDEST_SERVER))
        raise StoreError(f"The server at {where} is MongoDB {server['version']}; {needed} or newer is needed.")
    found = await version(database, where)
    if found > len(MIGRATIONS):
        raise StoreError(
            f"The database at {where} was written by a newer chatcore (its version is {found}, this program knows up "
            f"to {len(MIGRATIONS)}); run that one, or restore a backup."
        )
    return found


def check_is_safe(found: int, where: str) -> None:
    """Raises `StoreError` where a server must not bring a database of version ``found`` to this one by itself."""
    if not all(migration.safe for migration in MIGRATIONS[found:]):
        raise StoreError(f"The database at {where} is older than this program: run `chatcore migrate` first.")


async def apply(
    database: AsyncDatabase[Document],
    found: int,
    announce: Callable[[int, int, str], None] = lambda number, count, what: None,
    *,
    dry_run: bool = False,
) -> None:
    """Make what a database of version ``found`` lacks; ``announce`` is told each migration's number, of how many, and
    what it does.

    Several nodes may do it at once: each migration comes to the same when it is made again.
    """
    for number, migration in enumerate(MIGRATIONS[found:], start=found + 1):
        announce(number, len(MIGRATIONS), migration.what)
        if not dry_run:
            await migration.make(database)
            await database[META].update_one(STORE, {"$max": {"version": number}})


async def epoch(database: AsyncDatabase[Document]) -> str:
    found = await database[META].find_one(STORE)
    if found is None:
        raise StoreError("The database lost its epoch while it was opened.")
    return str(found["epoch"])
