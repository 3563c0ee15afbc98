"""Clients of Socket.IO and of the plain WebSocket, as one kind of client that sends commands."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol, TypeAlias, get_args

from .clients import raw_clients
from .plain_client import plain_clients

Wire: TypeAlias = Literal["socketio", "websocket"]
WIRES: tuple[Wire, ...] = get_args(Wire)


class SocketClient(Protocol):
    """One websocket."""

    @property
    def ready(self) -> Any:
        """The body of the push `ready`."""
        ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def last_answer(self) -> str:
        """The text of the latest answer, without the number of its command."""
        ...

    async def call(self, event: str, data: object) -> Any:
        """Send a command and wait for its answer."""
        ...


class SocketClients(Protocol):
    """Opens clients at one server."""

    async def connect(self, token: str | None) -> SocketClient:
        """Open a websocket, connect, and wait for `ready`."""
        ...


@asynccontextmanager
async def socket_clients(wire: Wire, url: str) -> AsyncGenerator[SocketClients]:
    """Clients for the node at ``url``, the place of its API."""
    if wire == "socketio":
        async with raw_clients(f"{url}/socket.io/") as clients:
            yield clients
    else:
        async with plain_clients(f"{url}/ws") as clients:
            yield clients
