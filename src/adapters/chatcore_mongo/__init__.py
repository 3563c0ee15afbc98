"""chatcore's stores in MongoDB, a standalone server or a replica set, for chats with many servers.

The stores use no transactions, locks or counters. An entry is one document, and unique indexes decide which writer
inserts ``{room, seq: head + 1}``. Writes wait for a majority and its journal. Reads go to the primary, and see only
what a majority has.

All unique indexes begin with ``room``, or with an id that begins with it. So the collections could be sharded by the
ranged keys ``{room: 1}``, and markers and rosters by ``{_id: 1}``. This is not tested.

The text of a deleted message is overwritten in its document. MongoDB's journal and oplog keep it until they turn over.
"""

try:
    from .accounts import MongoAccounts as MongoAccounts
    from .database import MongoDatabase as MongoDatabase
    from .registry import MongoRegistry as MongoRegistry
    from .store import MongoStore as MongoStore
except ModuleNotFoundError as _missing:
    if _missing.name not in ("bson", "pymongo"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_mongo needs {_missing.name}; in a clone of chatcore: pip install '.[mongo]'", name=_missing.name
    ) from _missing
