"""A client made of a bare TCP connection: it reads nothing that it is not asked to read, and writes what it is told."""

import asyncio
import socket
from typing import Self

from .node import SocketioNode


class SilentClient:
    """One websocket by hand. ``receive_buffer`` bounds what the kernel takes for it, in bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def dial(cls, node: SocketioNode, receive_buffer: int = 4096) -> Self:
        """A TCP connection."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        client = cls(sock)
        await client._loop.sock_connect(sock, ("127.0.0.1", node.port))
        return client

    @classmethod
    async def open(cls, node: SocketioNode, receive_buffer: int = 4096) -> Self:
        """A websocket."""
        client = await cls.dial(node, receive_buffer)
        await client.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await client.read_until(b'0{"sid"')
        return client

    async def connect(self, token: str = "silent") -> Self:
        await self.send(f'40{{"token":"{token}"}}')
        await self.read_until(b'42["ready"')
        return self

    async def write(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def send(self, text: str) -> None:
        await self.write(frame(text))

    async def read(self) -> bytes:
        """What is there, up to 64 KiB; nothing at the end."""
        try:
            return await self._loop.sock_recv(self.sock, 65_536)
        except ConnectionError:
            return b""

    async def read_until(self, part: bytes, times: int = 1) -> bytes:
        """Read until ``part`` has come so many times; what was read."""
        found = bytearray()
        while found.count(part) < times:
            if not (more := await self.read()):
                raise ConnectionError(f"it ended with {found[-200:]!r}")
            found += more
        return bytes(found)

    def close(self) -> None:
        """The kernel says goodbye."""
        self.sock.close()

    def vanish(self) -> None:
        """Reset, as a process that was killed with unread data."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


def frame(text: str) -> bytes:
    """A client's text frame, masked with zeros."""
    payload = text.encode()
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload
