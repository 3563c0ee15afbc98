"""The client of a chatcore server."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, overload

from .engine import Engine, Status, TokenSource
from .live import Live
from .room import Room
from .socketio_transport import SocketioTransport
from .store import MemoryStore, Store
from .transport import Object, Transport


class Client:
    """A connection to a server that is made again after every break, and what the user has there.

    Get it from `connect`, and enter it: `async with connect(…) as client`. It belongs to the event loop in which it was
    entered, which is asyncio's.

    Attributes:
        status: live: how it is connected.
        rooms: live: the user's rooms, as Room objects of ``docs/protocol.md``, the most recent first.
        presence: live: `{user: {state, last_seen?}}` of the users that `call("presence", …)` named last.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.status: Live[Status] = engine.status
        self.rooms: Live[Sequence[Object]] = engine.rooms
        self.presence: Live[Mapping[str, Object]] = engine.presence

    @overload
    def room(self, room: str) -> Room: ...

    @overload
    def room(self, *, with_: str) -> Room: ...

    def room(self, room: str | None = None, *, with_: str | None = None) -> Room:
        """Return a room by its id, or the private room with a user. Nothing is asked or created."""
        if (room is None) == (with_ is None):
            raise TypeError("Name a room by its id, or by with_=user.")
        return self._engine.room({"to": with_} if room is None else {"room": room})

    async def call(self, event: str, data: Mapping[str, Any] | None = None) -> Object:
        """Send any command of ``docs/protocol.md``, and return its answer without `ok`.

        A command with a `key` is repeated until it is answered. It waits while there is no connection.

        Raises:
            ClientError: The server refused the command, or the connection broke before its answer.
            ClientEnded: The client has ended.
        """
        return await self._engine.call(event, dict(data or {}))

    async def close(self) -> None:
        """Close the connection for good. What is not sent stays in the store."""
        await self._engine.close()

    async def __aenter__(self) -> Self:
        self._engine.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()


def connect(url: str, token: TokenSource, *, store: Store | None = None, transport: Transport | None = None) -> Client:
    """Return a client, which connects as long as it is entered.

    Args:
        url: the address of the server, with the prefix of a chat that a host serves: `https://example.org/chat`.
        token: an access token, or a function such as `session` returns. It is called before each connection, and before
            the token of a connection ends, with the token that was refused or is about to end, or None. It raises
            `SignedOut` where the user has to sign in anew. After any other exception it is called again.
        store: keeps what is not sent yet; memory by default.
        transport: for tests: how the client connects.

    Raises:
        OSError, ValueError: The store can't be read.
    """
    return Client(Engine(token, MemoryStore() if store is None else store, transport or SocketioTransport(url)))
