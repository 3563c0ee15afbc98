"""Connections over Socket.IO, by python-socketio's asyncio client with its own reconnection off.

Its reconnection is off because a cut handshake ends its task silently.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import socketio

from .connection import BROKEN, READY_S
from .transport import ConnectionHandler, Object

CLOSE_S = 1.0
"""Seconds that a connection takes at most to close as the protocol says."""

# Its handler keeps python-socketio from adding one that writes to standard error.
quiet_log: Final[Any] = logging.getLogger(f"{__name__}.socketio")
quiet_log.addHandler(logging.NullHandler())
quiet_log.propagate = False

Command: TypeAlias = tuple[str, Object, Callable[[Object], None]]


class SocketioTransport:
    """Opens connections to a server, over websockets alone, so that balancers need no sticky sessions.

    Args:
        url: the address of the server, with the prefix of a chat that a host serves.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._connections: set[SocketioConnection] = set()

    def open(self, token: str, handler: ConnectionHandler) -> "SocketioConnection":
        connection = SocketioConnection(self._url, token, handler, self._connections.discard)
        self._connections.add(connection)
        return connection

    async def close(self) -> None:
        for connection in self._connections:
            connection.close()
        if self._connections:
            await asyncio.wait([connection.task for connection in self._connections])

    def pause_factor(self) -> float:
        return random.uniform(0.5, 1.5)


class SocketioConnection:
    """One connection, in a task of its own."""

    def __init__(
        self, url: str, token: str, handler: ConnectionHandler, on_end: Callable[["SocketioConnection"], object]
    ) -> None:
        self._url, self._token = url, token
        self._handler = handler
        self._is_closed = False
        self._refusal: Object | None = None
        self._commands: asyncio.Queue[Command] = asyncio.Queue()
        self._ended = asyncio.Event()
        self.task: asyncio.Task[None] = asyncio.create_task(self._run())
        self.task.add_done_callback(lambda _task: on_end(self))

    def send(self, event: str, data: Object, on_answer: Callable[[Object], None]) -> None:
        self._commands.put_nowait((event, data, on_answer))

    def close(self) -> None:
        self._is_closed = True
        self._ended.set()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as http:
            client: Any = socketio.AsyncClient(
                reconnection=False,
                handle_sigint=False,
                http_session=http,
                logger=quiet_log,
                engineio_logger=quiet_log,
            )
            client.on("*", self._pushed)
            client.on("connect_error", self._connect_error)
            client.on("disconnect", self._disconnected)
            await self._use(client)
            code = _close_code(client)
            with contextlib.suppress(Exception):  # the connection ends in any case, with its session
                async with asyncio.timeout(CLOSE_S):
                    await client.disconnect()
        if self._is_closed:
            return
        self._is_closed = True
        if self._refusal is not None:
            self._handler.refused(self._refusal)
        else:
            self._handler.closed(code)

    async def _use(self, client: Any) -> None:
        """Connect, and send commands until the connection ends."""
        ended = asyncio.create_task(self._ended.wait())
        working = asyncio.create_task(self._work(client))
        await asyncio.wait({ended, working}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        working.cancel()
        await asyncio.gather(ended, working, return_exceptions=True)

    async def _work(self, client: Any) -> None:
        if await self._connect(client):
            sending = asyncio.create_task(self._send_all(client))
            # A cancelled wait would cancel the client's task that reads, which `disconnect` waits for.
            reading = asyncio.shield(client.eio.wait())
            try:
                await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _connect(self, client: Any) -> bool:
        parts = urlsplit(self._url)
        try:
            await client.connect(
                f"{parts.scheme}://{parts.netloc}",
                auth={"token": self._token},
                transports=["websocket"],
                socketio_path=f"{parts.path}/socket.io",
                wait_timeout=READY_S,
            )
        except Exception:  # noqa: BLE001 - if a handshake is cut, python-socketio raises any exception
            return False
        return True

    async def _send_all(self, client: Any) -> None:
        while True:
            event, data, on_answer = await self._commands.get()
            await client.emit(event, data, callback=on_answer)

    # Handlers of python-socketio, which it calls in the order of arrival.

    def _pushed(self, event: str, data: Object) -> None:
        if not self._is_closed:
            self._handler.pushed(event, data)

    def _connect_error(self, error: Any) -> None:
        if isinstance(error, dict) and "data" in error:
            self._refusal = error["data"]

    def _disconnected(self, _reason: str) -> None:
        self._ended.set()


def _close_code(client: Any) -> int:
    websocket = client.eio.ws
    code = websocket.close_code if websocket else None
    return int(code) if code else BROKEN
