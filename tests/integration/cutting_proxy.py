"""A TCP proxy that cuts, stalls and swallows its connections, at bytes that a seed chooses."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Literal, TypeAlias, get_args

from attrs import define, field, frozen

Kind: TypeAlias = Literal["rst", "fin", "stall", "swallow", "trickle", "half-open"]
Direction: TypeAlias = Literal["up", "down"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STALL_S = 2
LOG2_OF_LAST_BYTE = 14
CHUNK = 65_536


@frozen
class Fault:
    """A fault of a connection after ``at`` bytes, both directions counted together.

    Attributes:
        kind: ``rst`` and ``fin`` end both sides. ``stall`` holds all bytes for `STALL_S`. ``swallow`` drops all later
            bytes and the end of the connection; ``half-open`` does so in one direction. ``trickle`` passes the rest
            byte by byte.
        dead: the direction that ``half-open`` drops; ``up`` is from client to server.
    """

    kind: Kind
    at: int
    dead: Direction = "up"


def faults_of(seed: str, count: int) -> Iterator[Fault]:
    """Yield the faults of a seed: all kinds equally often, at bytes from 1 to 16,384 with evenly spread logarithms."""
    source = random.Random(seed)
    for kind in source.sample(KINDS * ceil(count / len(KINDS)), count):
        yield Fault(kind, int(2 ** source.uniform(0, LOG2_OF_LAST_BYTE)), source.choice(get_args(Direction)))


Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@define(eq=False)
class CuttingProxy:
    """Passes connections on to a port of this machine. Each connection takes the next of ``faults``, and a further one
    after a fault that it survives. A connection that ends before its fault strikes gives the fault back, so that every
    fault strikes.
    """

    port: int
    faults: Iterator[Fault]
    url: str = ""
    struck: Counter[Kind] = field(factory=Counter)
    _returned: list[Fault] = field(factory=list)
    _connections: set[asyncio.Task[None]] = field(factory=set)
    _changed: asyncio.Event = field(factory=asyncio.Event)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            await _Connection(self).carry((reader, writer), await asyncio.open_connection("127.0.0.1", self.port))
        except OSError:
            writer.close()  # the server is away
        except asyncio.CancelledError:
            pass  # cancelled by `end`
        finally:
            self._connections.discard(task)

    def take(self) -> Fault | None:
        return self._returned.pop() if self._returned else next(self.faults, None)

    def give_back(self, fault: Fault) -> None:
        self._returned.append(fault)

    def strike(self, kind: Kind) -> None:
        self.struck[kind] += 1
        self._changed.set()

    async def until_struck(self, count: int) -> None:
        """Wait until ``count`` faults have struck."""
        while self.struck.total() < count:
            self._changed.clear()
            await self._changed.wait()

    async def end(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@define(eq=False)
class _Connection:
    proxy: CuttingProxy
    fault: Fault | None = None
    """The fault that strikes next."""
    left: int = 0
    """Bytes until ``fault`` strikes."""
    dead: set[Direction] = field(factory=set)
    trickles: bool = False
    resets: bool = False
    _flowing: asyncio.Event = field(factory=asyncio.Event)

    async def carry(self, client: Stream, server: Stream) -> None:
        self._flowing.set()
        self._arm()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump("up", client[0], server[1]))
                group.create_task(self._pump("down", server[0], client[1]))
        except* OSError:
            pass  # a fault, or client or server has reset the connection
        finally:
            if self.fault:
                self.proxy.give_back(self.fault)
            for _, writer in (client, server):
                self._close(writer)

    async def _pump(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.fault is None and not self.dead:
                self._arm()
            if self.fault and len(data) >= self.left:
                before, data = data[: self.left], data[self.left :]
                await self._write(direction, before, writer)
                self._strike(self.fault)
            self.left -= len(data)
            await self._flowing.wait()
            await self._write(direction, data, writer)
        if direction not in self.dead:
            writer.write_eof()

    async def _write(self, direction: Direction, data: bytes, writer: asyncio.StreamWriter) -> None:
        if direction in self.dead:
            return
        for part in _bytes_of(data) if self.trickles else [data]:
            writer.write(part)
            await writer.drain()

    def _arm(self) -> None:
        self.fault = self.proxy.take()
        self.left = self.fault.at if self.fault else 0

    def _strike(self, fault: Fault) -> None:
        self.proxy.strike(fault.kind)
        self.fault = None
        match fault.kind:
            case "rst" | "fin":
                self.resets = fault.kind == "rst"
                raise ConnectionError
            case "stall":
                self._flowing.clear()
                asyncio.get_running_loop().call_later(STALL_S, self._flowing.set)
            case "swallow":
                self.dead.update(get_args(Direction))
            case "half-open":
                self.dead.add(fault.dead)
            case "trickle":
                self.trickles = True

    def _close(self, writer: asyncio.StreamWriter) -> None:
        if self.resets:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


@asynccontextmanager
async def cutting_proxy(port: int, faults: Iterator[Fault]) -> AsyncGenerator[CuttingProxy]:
    """A proxy on a free port to ``port``. At the end all its connections are cut."""
    proxy = CuttingProxy(port, faults)
    listener = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.end()
        await listener.wait_closed()
