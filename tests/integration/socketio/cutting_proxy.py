"""A TCP proxy that resets requests for a websocket upgrade."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class UpgradeCutter:
    """Passes bytes on to ``port``, and resets the first ``cuts`` connections that request a websocket upgrade.

    Attributes:
        cuts: connections that are still to be reset.
    """

    def __init__(self, port: int, cuts: int) -> None:
        self._port = port
        self.cuts = cuts

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.create_task(_pass_on(server_reader, writer))
        try:
            while data := await reader.read(65_536):
                if self.cuts and b"transport=websocket" in data:
                    self.cuts -= 1
                    _reset_on_close(writer)
                    return
                server_writer.write(data)
        except ConnectionError:
            pass
        finally:
            server_writer.close()
            writer.close()
            await answers


@asynccontextmanager
async def upgrade_cutter(port: int, *, cuts: int) -> AsyncGenerator[tuple[UpgradeCutter, str]]:
    """A proxy for the server at ``port``, and the proxy's origin."""
    cutter = UpgradeCutter(port, cuts)
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(cutter.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield cutter, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        while tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
