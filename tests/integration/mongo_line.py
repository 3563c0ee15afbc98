"""A connection to a MongoDB server that can be cut before or after any command."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import bson
from attrs import define, field

QUIET = frozenset({"hello", "ismaster", "isMaster", "ping", "endSessions"})
"""Commands that the driver sends by itself."""

Cut = Literal["before", "after"]
_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_BODY = 21
"""The offset of a message's body: after its header, flags, and the kind of its first section."""


@define(eq=False)
class Line:
    """Counts commands, and is cut at one of them: ``before`` the command reaches the server, or ``after`` the server
    has carried it out and before the answer is passed on. Afterwards nothing is passed on."""

    server: str
    url: str = ""
    commands: list[str] = field(factory=list)
    cut_at: int | None = None
    cut: Cut = "before"
    is_cut: bool = False
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection of the driver."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        host, _, port = urlsplit(self.server).netloc.partition(":")
        upstream, downstream = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._carry(upstream, writer))
                if not await self._listen(reader, downstream):
                    back.cancel()
        except* OSError:
            pass
        finally:
            self._tasks.discard(task)
            for stream in (writer, downstream):
                stream.close()
                with contextlib.suppress(OSError):
                    await stream.wait_closed()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> bool:
        """Pass the driver's messages on until the line is cut. Returns whether the server gets the last command."""
        while (message := await _message(reader)) and not self.is_cut:
            if name := _command(message):
                self.commands.append(name)
                self.is_cut = len(self.commands) == self.cut_at
            if not self.is_cut or self.cut == "after":
                server.write(message)
                await server.drain()
            if self.is_cut:
                return self.cut == "after"
        return False

    async def _carry(self, server: asyncio.StreamReader, driver: asyncio.StreamWriter) -> None:
        """Pass the server's messages on, except the first answer after the cut."""
        while message := await _message(server):
            if self.is_cut:
                return
            driver.write(message)
            await driver.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return the next message, or nothing at the end."""
    try:
        header = await reader.readexactly(_HEADER.size)
        return header + await reader.readexactly(_HEADER.unpack(header)[0] - _HEADER.size)
    except asyncio.IncompleteReadError:
        return b""


def _command(message: bytes) -> str | None:
    """Return a name such as ``insert entries``, or None for the driver's own commands."""
    if _HEADER.unpack_from(message)[3] != _OP_MSG:
        return None
    size = int.from_bytes(message[_BODY : _BODY + 4], "little")
    name, value = next(iter(bson.decode(message[_BODY : _BODY + size]).items()))
    return None if name in QUIET else f"{name} {value}"


@asynccontextmanager
async def a_line(server: str, database: str, cut_at: int | None = None, cut: Cut = "before") -> AsyncGenerator[Line]:
    """A line to a server, for a driver without retries."""
    line = Line(server, cut_at=cut_at, cut=cut)
    listener = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    once = "directConnection=true&retryReads=false&retryWrites=false&serverSelectionTimeoutMS=20"
    line.url = f"mongodb://127.0.0.1:{port}/{database}?{once}"
    try:
        yield line
    finally:
        listener.close()
        await line.end()
        await listener.wait_closed()
