"""Ended connections leave no table entry and no reference cycle for the garbage collector."""

import gc
import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import web

from chatcore.live.live_sockets import LiveSocket
from chatcore.ports.pushes import Bye
from chatcore.socket import Socket
from chatcore_aiohttp.receiver import Receiver
from chatcore_aiohttp.transport_writer import TransportWriter
from chatcore_socketio.connection import SocketConnection
from chatcore_socketio.packet_handler import PacketHandler
from chatcore_socketio.polling_handshake import PollingSession
from chatcore_socketio.session import SocketioSession
from chatcore_websocket import Timing
from chatcore_websocket.connection_limits import IDLE_FRAMES_AT_ONCE

from ...unit.client_frames import CLOSE, TEXT, client_frame
from .node import SocketioNode, socketio_node
from .silent import SilentClient

pytestmark = pytest.mark.anyio

CONNECTIONS = 50
LONG_RUN = int(os.environ.get("CHATCORE_TEST_CONNECTIONS", "2000"))
TYPES = (
    PacketHandler,
    PollingSession,
    TransportWriter,
    LiveSocket,
    Receiver,
    SocketioSession,
    Socket,
    SocketConnection,
    web.Request,
    web.RequestHandler,
    web.StreamResponse,
)
"""The classes of objects that a connection needs."""
Way: TypeAlias = Callable[[SocketioNode], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """uvloop, as in the server: each transport of asyncio is a reference cycle."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def node() -> AsyncGenerator[SocketioNode]:
    async with socketio_node(timing=Timing(connect_timeout=0.5, close_timeout=0.3)) as served:
        yield served


# How connections end.


async def connected(node: SocketioNode) -> SilentClient:
    return await (await SilentClient.open(node)).connect()


async def end(client: SilentClient) -> None:
    """Read up to the server's close frame, and leave."""
    await client.read_until(b"\x88\x02")
    client.close()


async def disconnects(node: SocketioNode) -> None:
    client = await connected(node)
    await client.send("41")
    await end(client)


async def closes(node: SocketioNode) -> None:
    client = await connected(node)
    await client.write(client_frame(CLOSE))
    await end(client)


async def goes(node: SocketioNode) -> None:
    (await connected(node)).close()


async def vanishes(node: SocketioNode) -> None:
    (await connected(node)).vanish()


async def never_connects(node: SocketioNode) -> None:
    (await SilentClient.open(node)).close()


async def is_refused(node: SocketioNode, token: str = "nobody") -> None:
    client = await SilentClient.open(node)
    await client.send(f'40{{"token":"{token}"}}')
    await end(client)


async def finds_the_server_unavailable(node: SocketioNode) -> None:
    await is_refused(node, "down")


async def goes_while_it_connects(node: SocketioNode) -> None:
    client = await SilentClient.open(node)
    await client.send('40{"token":"hanging"}')
    client.close()


async def is_kicked(node: SocketioNode) -> None:
    client = await connected(node)
    for session in node.server.websockets._sessions:
        session.close(Bye(code="kicked"))
    await end(client)


async def ignores_its_end(node: SocketioNode) -> None:
    client = await connected(node)
    for session in node.server.websockets._sessions:
        session.close(Bye(code="kicked"))
    while await client.read():
        pass
    client.close()


async def speaks_another_protocol(node: SocketioNode) -> None:
    client = await connected(node)
    await client.send("what?")
    await end(client)


async def breaks_the_rfc(node: SocketioNode) -> None:
    client = await connected(node)
    await client.write(client_frame(TEXT, b"6", mask=None))
    await end(client)


async def floods(node: SocketioNode) -> None:
    client = await SilentClient.open(node)
    await client.write(client_frame(TEXT, b"6") * (IDLE_FRAMES_AT_ONCE + 1))
    await end(client)


async def writes(node: SocketioNode) -> None:
    client = await connected(node)
    await client.send('427["message.send",{"to":"bob","key":"k","body":"hi"}]')
    await client.send('428["message.send",{"to":"bob"}]')
    await client.read_until(b"438[")
    await client.send("41")
    await end(client)


async def asks_for_another_version(node: SocketioNode) -> None:
    client = await SilentClient.dial(node)
    await client.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 8\r\n\r\n"
    )
    await client.read_until(b"426")
    client.close()


async def upgrades(node: SocketioNode) -> None:
    polling = await SilentClient.dial(node)
    get = b"GET /socket.io/?EIO=4&transport=%s HTTP/1.1\r\nHost: x\r\n"
    await polling.write(get % b"polling" + b"\r\n")
    sid = (await polling.read_until(b"}")).split(b'"sid":"')[1].split(b'"')[0]
    connect = b'40{"token":"silent"}'
    post = (get % (b"polling&sid=" + sid)).replace(b"GET", b"POST")
    await polling.write(post + b"Content-Length: %d\r\n\r\n" % len(connect) + connect)
    await polling.read_until(b"ok")
    await polling.write(get % (b"polling&sid=" + sid) + b"\r\n")
    client = await SilentClient.dial(node)
    await client.write(
        get % (b"websocket&sid=" + sid)
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await client.read_until(b"\r\n\r\n")
    await client.send("2probe")
    await polling.read_until(b"\r\n\r\n6")
    await client.send("5")
    await client.read_until(b'42["ready"')
    client.close()
    polling.close()


WAYS = (
    disconnects,
    closes,
    goes,
    vanishes,
    never_connects,
    is_refused,
    finds_the_server_unavailable,
    goes_while_it_connects,
    is_kicked,
    speaks_another_protocol,
    breaks_the_rfc,
    floods,
    writes,
    asks_for_another_version,
    upgrades,
)


@contextmanager
def uncollected() -> Generator[list[Any]]:
    """Disable collections in the block. Then fill the list with all objects that only a collection could have freed."""
    garbage: list[Any] = []
    gc.collect()
    gc.disable()
    try:
        yield garbage
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        garbage += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def living() -> Counter[str]:
    return Counter(type(item).__name__ for item in gc.get_objects() if issubclass(type(item), TYPES))


async def end_all(node: SocketioNode, way: Way, times: int) -> None:
    for _ in range(times):
        await way(node)
    await node.nothing_left()
    await node.until(lambda: not node.runner.server or not node.runner.server.connections)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_ended_connection_leaves_no_reference_cycle(node: SocketioNode, way: Way) -> None:
    await end_all(node, way, 3)  # fills caches
    gc.collect()
    before = living()
    with uncollected() as garbage:
        await end_all(node, way, CONNECTIONS)
        after = living()
    assert after == before
    assert len(garbage) < CONNECTIONS, Counter(type(item).__name__ for item in garbage)


async def test_connection_that_ignored_close_leaves_no_reference_cycle(node: SocketioNode) -> None:
    await end_all(node, ignores_its_end, 1)
    gc.collect()
    before = living()
    with uncollected() as garbage:
        await end_all(node, ignores_its_end, 10)  # each takes the close timeout
        after = living()
    assert after == before
    assert len(garbage) < 10, Counter(type(item).__name__ for item in garbage)


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(LONG_RUN // 20)
async def test_memory_stays_flat_over_many_connections_without_collection(node: SocketioNode) -> None:
    async def churn(times: int) -> None:
        for _ in range(times // len(WAYS) + 1):
            for way in WAYS:
                await way(node)
            node.attempts.clear()
        await end_all(node, disconnects, 1)

    await churn(500)
    with uncollected() as garbage:
        before = resident()
        await churn(LONG_RUN)
        grown = resident() - before
    assert len(garbage) < LONG_RUN
    assert grown < 2_000_000 + 100 * LONG_RUN  # an open connection takes more than 15 KB
