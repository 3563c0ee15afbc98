"""Sockets that connect and then only listen: cheap enough for hundreds in one test."""

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

TIMEOUT_S = 30
BATCH = 20
"""The number of sockets that connect at the same time."""
READY = b'42["ready"'
NO_MASK = b"\0\0\0\0"


def client_frame(text: str) -> bytes:
    """Return a masked text frame (RFC 6455, 5.2). The mask is zero."""
    payload = text.encode()
    length = len(payload)
    head = struct.pack("!BB", 0x81, 0x80 | length) if length < 126 else struct.pack("!BBH", 0x81, 0xFE, length)
    return head + NO_MASK + payload


class Listener(asyncio.Protocol):
    """A websocket that sends CONNECT and reads nothing after `ready`. It answers no PING, so it lasts for 45 s."""

    def __init__(self, host: str, token: str) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self.ended = False
        self._host = host
        self._token = token
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self._host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        connect = client_frame("40" + json.dumps({"token": self._token}))
        cast("asyncio.WriteTransport", transport).write(request.encode() + connect)

    def data_received(self, data: bytes) -> None:
        if self.ready.done():
            return
        self._received += data
        if READY in self._received:
            self._received = b""
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"the socket was not admitted: {self._received!r}"))


@asynccontextmanager
async def listeners(port: int, tokens: Sequence[str]) -> AsyncGenerator[Sequence[Listener]]:
    """A socket for each token, after `ready`."""
    loop = asyncio.get_running_loop()
    opened: list[tuple[asyncio.Transport, Listener]] = []
    try:
        for batch in (tokens[start : start + BATCH] for start in range(0, len(tokens), BATCH)):
            for token in batch:
                make = partial(Listener, f"127.0.0.1:{port}", token)
                opened.append(await loop.create_connection(make, "127.0.0.1", port))
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.gather(*[listener.ready for _, listener in opened[-len(batch) :]])
        yield [listener for _, listener in opened]
    finally:
        for transport, _ in opened:
            transport.abort()
