"""The Python client of a chatcore server, for asyncio (``docs/clients.md``).

    async with connect(url, session(url, "alice", "a long sentence")) as client:
        room = client.room(with_="bob")
        room.send("Hello!")
        async for messages in room.messages:
            print([message.body for message in messages])

No message is lost, repeated or shown out of order, whatever the network or the server does.
"""

try:
    from .client import Client as Client
    from .client import connect as connect
    from .engine import Status as Status
    from .errors import ClientEnded as ClientEnded
    from .errors import ClientError as ClientError
    from .errors import SignedOut as SignedOut
    from .file_store import FileStore as FileStore
    from .live import Live as Live
    from .message import Message as Message
    from .room import Room as Room
    from .session import Accounts as Accounts
    from .session import Session as Session
    from .session import session as session
    from .store import MemoryStore as MemoryStore
    from .store import Store as Store
except ModuleNotFoundError as _missing:
    if _missing.name not in ("aiohttp", "socketio"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_client needs {_missing.name}; in a clone of chatcore: pip install '.[client]'", name=_missing.name
    ) from _missing
