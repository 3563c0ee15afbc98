"""A TCP proxy to a server. It answers some HTTP requests itself, and can hold back what the client sends."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from .clients import TIMEOUT_S

CHUNK = 65_536


CLOSED = b""
"""No answer: the proxy closes the connection."""
HTML = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\nConnection: close\r\n\r\n<p>Sorry.\n"
"""An answer as some proxies give it."""
HANDSHAKE = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 88\r\n\r\n0{"sid":"1","upgrades":["web'
"""An answer to a handshake that is cut in its body."""


def refusal(status: int, retry_after: int = 0) -> bytes:
    """Return the refusal of a server: temporary, unless the status is 401."""
    body = f'{{"detail": "Refused by the proxy.", "temporary": {"false" if status == 401 else "true"}}}'
    wait = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    head = f"HTTP/1.1 {status} Refused\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{wait}"
    return f"{head}\r\n{body}".encode()


@define(eq=False)
class ScriptedProxy:
    """Passes everything on, except the requests in ``refusals``, and data after ``hold_after``.

    Attributes:
        refusals: by path, the answers to the first requests. After each answer the connection is closed.
        hold_after: once the server has sent these bytes, data of clients waits for `release`.
    """

    port: int
    refusals: Mapping[str, Sequence[bytes]]
    hold_after: bytes | None
    url: str = ""
    requests: list[tuple[float, str]] = field(factory=list)
    """Time (monotonic, in seconds) and path of each HTTP request."""
    sent: bytes = b""
    """All that the server has sent to any client."""
    _released: asyncio.Event = field(factory=asyncio.Event)
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _connections: set[asyncio.Task[None]] = field(factory=set)

    def times(self, path: str) -> Sequence[float]:
        """Return the times of the requests to the path."""
        return [at for at, requested in self.requests if requested == path]

    async def until_sent(self, text: bytes) -> None:
        """Wait until the server has sent ``text`` to a client."""
        async with asyncio.timeout(TIMEOUT_S):
            while text not in self.sent:
                self._changed.clear()
                await self._changed.wait()

    def release(self) -> None:
        self.hold_after = None
        self._released.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            back, server = await asyncio.open_connection("127.0.0.1", self.port)
            async with asyncio.TaskGroup() as group:
                down = group.create_task(self._down(back, writer))
                await self._up(reader, writer, server)
                server.close()
                down.cancel()
        except* OSError:
            pass  # client or server has ended
        finally:
            self._connections.discard(task)
            writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            if data.startswith((b"GET ", b"POST ")):  # no client pipelines, so each request starts a chunk
                path = data.split(b" ", 2)[1].decode().partition("?")[0]
                number = len(self.times(path))
                self.requests.append((time.monotonic(), path))
                if number < len(refusals := self.refusals.get(path, ())):
                    writer.write(refusals[number])
                    await writer.drain()
                    return
            if self.hold_after and self.hold_after in self.sent:
                await self._released.wait()
            server.write(data)
            await server.drain()

    async def _down(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await back.read(CHUNK):
            self.sent += data
            self._changed.set()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def end(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def scripted_proxy(
    port: int, refusals: Mapping[str, Sequence[bytes]] | None = None, *, hold_after: bytes | None = None
) -> AsyncGenerator[ScriptedProxy]:
    proxy = ScriptedProxy(port, refusals or {}, hold_after)
    listener = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.end()
        await listener.wait_closed()
