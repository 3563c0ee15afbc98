"""chatcore's stores in MongoDB, on a standalone server or a replica set: for chats that outgrow one machine.

Nothing here needs a transaction, a lock or a counter: an entry of a log is one document, and its insertion at
``{room, seq: head + 1}`` under unique indexes is what decides. Writes are acknowledged by a majority, with journal;
reads go to the primary and see what a majority has.

The indexes that are unique begin with ``room`` (of markers: with an id that does), so the collections could be sharded
by the ranged keys ``{room: 1}``, of markers and rosters ``{_id: 1}``. They were designed for it; it is not tested.

The text of a deleted message is overwritten where it stood; MongoDB's journal and oplog keep it until they turn over.
"""

try:
    from .accounts import MongoAccounts as MongoAccounts
    from .database import Database as Database
    from .registry import MongoRegistry as MongoRegistry
    from .store import MongoStore as MongoStore
except ModuleNotFoundError as missing:
    if missing.name not in ("bson", "pymongo"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_mongo needs {missing.name}; in a clone of chatcore: pip install '.[mongo]'", name=missing.name
    ) from missing
