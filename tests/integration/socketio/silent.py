"""A client made of a bare TCP connection, which reads and writes only on request."""

import asyncio
import json
import socket
from typing import Protocol, Self

SOCKETIO, PLAIN = "/socket.io/?EIO=4&transport=websocket", "/ws"
"""The paths of the websockets of both kinds."""


class Listening(Protocol):
    """A server on a port of the loopback address."""

    @property
    def port(self) -> int: ...


class SilentClient:
    """A websocket over a bare socket. ``receive_buffer`` is the size of the kernel's buffer in bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def dial(cls, server: Listening, receive_buffer: int = 4096) -> Self:
        """Open a TCP connection."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        client = cls(sock)
        await client._loop.sock_connect(sock, ("127.0.0.1", server.port))
        return client

    @classmethod
    async def open(cls, server: Listening, receive_buffer: int = 4096, path: str = SOCKETIO) -> Self:
        """Open a websocket of the kind that ``path`` ends with."""
        client = await cls.dial(server, receive_buffer)
        await client.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await client.read_until(b'0{"sid"' if path.endswith(SOCKETIO) else b"\r\n\r\n")
        return client

    async def connect(self, token: str = "silent") -> Self:
        await self.send(f'40{{"token":"{token}"}}')
        await self.read_until(b'42["ready"')
        return self

    async def connect_plain(self, token: str = "silent") -> Self:
        """Connect on a plain WebSocket."""
        await self.send(json.dumps({"event": "connect", "data": {"token": token}}))
        await self.read_until(b'"event":"ready"')
        return self

    async def write(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def send(self, text: str) -> None:
        await self.write(frame(text))

    async def read(self) -> bytes:
        """Return up to 64 KiB that have arrived, or nothing at the end of the connection."""
        try:
            return await self._loop.sock_recv(self.sock, 65_536)
        except ConnectionError:
            return b""

    async def read_until(self, part: bytes, times: int = 1) -> bytes:
        """Read until ``part`` has arrived ``times`` times. Returns all bytes read."""
        received = bytearray()
        while received.count(part) < times:
            if not (more := await self.read()):
                raise ConnectionError(f"it ended with {received[-200:]!r}")
            received += more
        return bytes(received)

    def close(self) -> None:
        """Close the TCP connection normally."""
        self.sock.close()

    def vanish(self) -> None:
        """Reset the connection, as the kernel does for a killed process with unread data."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


def frame(text: str) -> bytes:
    """Return a client's text frame, masked with zeros."""
    payload = text.encode()
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload
