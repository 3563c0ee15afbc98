"""Idle connections are closed, and no address can hold all of them. In the process of the test, with short
times."""

import asyncio
import resource
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from chatcore_http import Proxies
from chatcore_server.connections import OpenConnections, connections_max
from chatcore_server.serving import Timeouts, running
from chatcore_server.settings import Settings
from tests.integration.clients import TIMEOUT_S, raw_clients
from tests.integration.serve_client import sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

SECRET = b"a secret of the tests, of 32 bytes or more"
TIMEOUTS = Timeouts(idle=0.3, sending=0.3, lingering=0.1, handling=0.1)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """uvloop, as in the server: its transports have other classes than those of asyncio."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def served(timeouts: Timeouts = TIMEOUTS, **settings: Any) -> AsyncGenerator[int]:
    """The port of a server."""
    async with running(Settings(port=0, store="memory", secret=SECRET, **settings), timeouts) as [(_, port)]:
        yield port


class Line:
    """A connection, and the bytes received until the server closed it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.reader = reader

    @classmethod
    async def open(cls, port: int, data: bytes = b"") -> "Line":
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        line.writer.write(data)
        return line

    async def end(self) -> bytes:
        """Wait for the end. Returns the bytes received before."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""
            finally:
                self.writer.close()


ASKED = 40
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = {
    "nothing": b"",
    "a part of a line": b"GET /heal",
    "a line": b"GET /healthz HTTP/1.1\r\n",
    "a part of the headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 1000,
    "a request and nothing more": HEALTHZ,
    "a request and a half": HEALTHZ + HEALTHZ[:-2],
}


@pytest.mark.parametrize("data", HALF.values(), ids=HALF.keys())
async def test_connection_without_complete_request_is_closed(data: bytes) -> None:
    async with served() as port:
        line = await Line.open(port, data)
        got = await line.end()
        assert got.count(b"HTTP/1.1 200 OK") == data.count(b"\r\n\r\n")


async def test_dripping_request_does_not_keep_connection() -> None:
    async with served() as port:
        line = await Line.open(port)
        ended = asyncio.create_task(line.end())
        for byte in b"GET /" + b"x" * 5_000:
            if ended.done():
                break
            line.writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        assert ended.done()


async def test_200_half_requests_are_closed_together() -> None:
    async with served() as port:
        lines = [await Line.open(port, HEALTHZ[:-2]) for _ in range(200)]
        assert await asyncio.gather(*(line.end() for line in lines)) == [b""] * 200


async def test_socket_outlives_idle_timeout() -> None:
    async with served() as port, raw_clients(f"http://127.0.0.1:{port}/socket.io/") as clients:
        alice = await sign_in(clients.http, f"http://127.0.0.1:{port}", "alice")
        client = await clients.connect(alice.token)
        for _ in range(2):
            await (await Line.open(port)).end()  # twice the time that an idle connection may last
        answer = await client.call("message.send", {"to": "alice", "key": "k", "body": "x"})
        assert answer["ok"]


async def test_client_that_does_not_read_answers_is_cut() -> None:
    async with served() as port, ClientSession() as http:
        alice = await sign_in(http, f"http://127.0.0.1:{port}", "alice")
        for number in range(30):
            await alice.send("alice", f"{number}", body="x" * 16_000)
        head = "GET /api/v1/users/alice/entries HTTP/1.1\r\nHost: localhost\r\n"
        request = f"{head}Authorization: Bearer {alice.token}\r\n\r\n"
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(request.encode() * ASKED)  # the kernel's buffers hold one answer, of 480 KB
            for _ in range(3):
                await (await Line.open(port)).end()  # longer than an answer may wait
            deaf.setblocking(False)
            got = await read_all(deaf)
        assert 0 < got.count(b"HTTP/1.1 200 OK") < ASKED


async def read_all(line: socket.socket) -> bytes:
    got = bytearray()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT_S):
        try:
            while data := await loop.sock_recv(line, 65_536):
                got += data
        except ConnectionError:
            pass
    return bytes(got)


async def test_connections_of_address_are_capped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(Timeouts(idle=30), sockets_per_address=1) as port:
        held = [await Line.open(port, HEALTHZ) for _ in range(3)]
        for line in held:
            await line.reader.readuntil(b'{"status":"alive"}')
        for _ in range(3):
            assert await (await Line.open(port, HEALTHZ)).end() == b""
        held[0].writer.write(HEALTHZ)  # accepted connections are served
        await held[0].reader.readuntil(b'{"status":"alive"}')
        held[1].writer.close()
        async with asyncio.timeout(TIMEOUT_S):
            while not await is_served(port):
                pass
        for line in held:
            line.writer.close()
    assert caplog.messages == ["open connections limit reached: address=127.0.0.1 connections=3"]


async def is_served(port: int) -> bool:
    line = await Line.open(port, b"GET /healthz HTTP/1.0\r\n\r\n")
    return bool(await line.end())


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (("203.0.113.1", 1), ("203.0.113.1", 2), True),
        (("203.0.113.1", 1), ("203.0.113.2", 1), False),
        (("203.0.113.1", 1), ("::ffff:203.0.113.1", 1, 0, 0), True),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::ffff:0:0:1", 1, 0, 0), True),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::2%eth0", 1, 0, 2), True),
        (None, "", True),
    ],
)
def test_cap_counts_ipv4_address_or_ipv6_prefix(first: object, second: object, together: bool) -> None:
    open_connections = OpenConnections(1, Proxies())
    assert (open_connections.address(first) == open_connections.address(second)) is together


def test_one_address_can_not_use_all_file_descriptors() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < connections_max(4_096) <= 10_240
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == before[1]
    assert soft == hard
    assert hard == resource.RLIM_INFINITY or 2 * connections_max(1_000_000) <= hard
