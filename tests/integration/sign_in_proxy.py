"""A TCP proxy that counts sign-ins and refreshes, and compares each retry with the last `Retry-After`."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from attrs import define, field

CHUNK = 65_536

_REQUEST = re.compile(rb"POST (/api/v1/sessions\S*) ")
_USER = re.compile(rb'"user": ?"(\w+)"')
_RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d+)\r\n", re.IGNORECASE)


@define(eq=False)
class SignInProxy:
    """Passes everything on.

    Attributes:
        asked: requests by path.
        refused: answers with a `Retry-After`.
        early: users who repeated a sign-in before the `Retry-After` of the last refusal had passed.
    """

    port: int
    url: str = ""
    asked: Counter[str] = field(factory=Counter)
    refused: int = 0
    early: list[str] = field(factory=list)
    _under_way: int = 0
    """The number of sign-ins and refreshes that were passed on and are not answered."""
    _answered: asyncio.Event = field(factory=asyncio.Event)
    _not_before: dict[str, float] = field(factory=dict)
    _connections: set[asyncio.Task[None]] = field(factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        users: list[str] = []
        """The user of the request in flight on this connection, empty for a refresh. No client pipelines."""
        try:
            back, server = await asyncio.open_connection("127.0.0.1", self.port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, server, users))
                group.create_task(self._down(back, writer, users))
        except* OSError:
            pass  # client or server has ended, or the server is away
        except* asyncio.CancelledError:
            pass  # cancelled by `end`
        finally:
            self._connections.discard(task)
            self._end(users)
            writer.close()

    async def _up(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, users: list[str]) -> None:
        while data := await reader.read(CHUNK):
            if match := _REQUEST.match(data):
                self.asked[match[1].decode()] += 1
                self._under_way += 1
                users.append("")
            if users and b'"password"' in data and (user := _USER.search(data)):
                self._ask(user[1].decode())
                users[:] = [user[1].decode()]
            server.write(data)
            await server.drain()
        server.close()

    async def _down(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, users: list[str]) -> None:
        while data := await back.read(CHUNK):
            if users and data.startswith(b"HTTP/1.1 "):
                if wait := _RETRY_AFTER.search(data):
                    self.refused += 1
                    self._not_before[users[0]] = time.monotonic() + int(wait[1])
                self._end(users)
            writer.write(data)
            await writer.drain()
        writer.close()

    def _end(self, users: list[str]) -> None:
        self._under_way -= len(users)
        users.clear()
        self._answered.set()

    async def until_answered(self) -> None:
        """Wait until every sign-in and refresh that was passed on is answered."""
        while self._under_way:
            self._answered.clear()
            await self._answered.wait()

    def forget(self) -> None:
        """Reset all counts."""
        self.asked.clear()
        self.refused = 0

    def _ask(self, user: str) -> None:
        if time.monotonic() < self._not_before.get(user, 0):
            self.early.append(user)

    async def end(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def sign_in_proxy(port: int) -> AsyncGenerator[SignInProxy]:
    proxy = SignInProxy(port)
    listener = await asyncio.start_server(proxy.carry, "127.0.0.1", 0, backlog=1024)
    proxy.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.end()
        await listener.wait_closed()
