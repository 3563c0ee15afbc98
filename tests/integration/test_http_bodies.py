"""Request bodies in pieces, too long, too slow or malformed, as raw bytes over a real connection."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from chatcore_http import bodies
from chatcore_http.bodies import BODY_MAX
from tests.integration.http_hosts import EVERYWHERE, ON_AIOHTTP
from tests.integration.http_node import HttpNode
from tests.integration.http_world import http_world, stored_content

pytestmark = [pytest.mark.anyio, *EVERYWHERE]

MESSAGE = b'{"key": "k", "body": "x"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node() -> AsyncGenerator[HttpNode]:
    async with http_world() as node:
        yield node


class Line:
    """A connection for raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, node: HttpNode) -> None:
        self.reader = reader
        self.writer = writer
        self.token = node.tokens["alice"]
        self.prefix = node.url.removeprefix(node.origin)

    @classmethod
    async def open(cls, node: HttpNode) -> "Line":
        return cls(*await asyncio.open_connection(*node.origin.removeprefix("http://").split(":")), node)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def begin(self, *headers: str, path: str = "/users/bob/messages", method: str = "POST") -> None:
        """Send a request of alice up to its body."""
        target = f"{self.prefix}/api/v1{path}"
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.token}", *headers]
        await self.write("\r\n".join([*lines, "", ""]).encode())

    async def answer(self) -> tuple[int, Any]:
        """Return status and body of the next answer."""
        async with asyncio.timeout(15):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
            body = await self.reader.readexactly(int(length.partition(":")[2]))
        return int(head.split()[1]), json.loads(body)

    async def refusal(self) -> tuple[int, str]:
        status, problem = await self.answer()
        return status, problem["code"]

    async def ends(self) -> None:
        """Wait until the server closes the connection."""
        async with asyncio.timeout(15):
            while await self.reader.read(65_536):
                pass

    def reset(self) -> None:
        """Reset the connection, like a phone that loses its network."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@pytest.fixture
async def line(node: HttpNode) -> AsyncGenerator[Line]:
    line = await Line.open(node)
    yield line
    line.writer.close()


JSON = "Content-Type: application/json"


async def test_body_may_arrive_byte_by_byte(line: Line) -> None:
    await line.begin(JSON, f"Content-Length: {len(MESSAGE)}")
    for byte in MESSAGE:
        await line.write(bytes([byte]))
        await asyncio.sleep(0)
    status, sent = await line.answer()
    assert (status, sent["seq"]) == (201, 3)


async def test_body_may_arrive_in_chunks(line: Line) -> None:
    await line.begin(JSON, "Transfer-Encoding: chunked")
    for part in (MESSAGE[:7], MESSAGE[7:]):
        await line.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    await line.write(b"0\r\n\r\n")
    assert (await line.answer())[0] == 201


async def test_empty_chunked_body_is_no_body(line: Line) -> None:
    await line.begin("Transfer-Encoding: chunked")
    await line.write(b"0\r\n\r\n")
    status, problem = await line.answer()
    assert (status, problem["field"]) == (400, "key")


async def test_body_of_64_kib_is_read(line: Line) -> None:
    padded = MESSAGE + b" " * (BODY_MAX - len(MESSAGE))
    await line.begin(JSON, f"Content-Length: {BODY_MAX}")
    await line.write(padded)
    assert (await line.answer())[0] == 201


async def test_body_above_64_kib_is_refused_by_content_length(line: Line, node: HttpNode) -> None:
    before = await stored_content(node)
    await line.begin(JSON, f"Content-Length: {BODY_MAX + 1}")
    assert await line.refusal() == (413, "too_large")
    assert await stored_content(node) == before


async def test_chunked_body_above_64_kib_is_refused_once_too_long(line: Line, node: HttpNode) -> None:
    before = await stored_content(node)
    await line.begin(JSON, "Transfer-Encoding: chunked")
    for _ in range(BODY_MAX // 1024 + 1):
        await line.write(b"400\r\n" + b" " * 1024 + b"\r\n")
    assert await line.refusal() == (413, "too_large")
    assert await stored_content(node) == before


async def test_sender_of_much_longer_body_gets_refusal_then_close(line: Line) -> None:
    await line.begin(JSON, f"Content-Length: {100 * BODY_MAX}")
    assert await line.refusal() == (413, "too_large")
    with pytest.raises((ConnectionError, EOFError)):  # noqa: PT012
        for _ in range(10_000):
            await line.write(b" " * BODY_MAX)
            await asyncio.sleep(0)
        raise EOFError


async def test_body_that_does_not_arrive_times_out(line: Line, node: HttpNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    before = await stored_content(node)
    await line.begin(JSON, f"Content-Length: {len(MESSAGE)}")
    await line.write(MESSAGE[:-1])
    assert await line.refusal() == (408, "invalid")
    assert await stored_content(node) == before


async def test_body_that_drips_times_out(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.2)
    await line.begin(JSON, f"Content-Length: {BODY_MAX}")
    answer = asyncio.create_task(line.refusal())
    while not answer.done():
        await line.write(b" ")
        await asyncio.sleep(0.01)
    assert answer.result() == (408, "invalid")


async def test_expected_100_continue_is_sent(line: Line) -> None:
    await line.begin(JSON, f"Content-Length: {len(MESSAGE)}", "Expect: 100-continue")
    assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await line.write(MESSAGE)
    assert (await line.answer())[0] == 201


@pytest.mark.parametrize(
    ("length", "path", "refused"),
    [
        (BODY_MAX + 1, "/users/bob/messages", (413, "too_large")),
        (5, "/nonsense", (404, "not_found")),
        (5, "/rooms/x/entries", (405, "invalid")),
    ],
)
async def test_refused_request_gets_no_100_continue(
    length: int, path: str, refused: tuple[int, str], line: Line
) -> None:
    await line.begin(JSON, f"Content-Length: {length}", "Expect: 100-continue", path=path)
    assert await line.refusal() == refused


async def test_unknown_expectation_is_ignored(line: Line) -> None:
    await line.begin(JSON, f"Content-Length: {len(MESSAGE)}", "Expect: a-miracle")
    await line.write(MESSAGE)
    assert (await line.answer())[0] == 201


async def test_compressed_body_is_not_decompressed(line: Line) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    await line.begin(JSON, f"Content-Length: {len(bomb)}", "Content-Encoding: gzip")
    await line.write(bomb)
    assert await line.refusal() == (400, "invalid")


async def test_body_in_malformed_chunks_is_refused(
    line: Line, node: HttpNode, monkeypatch: pytest.MonkeyPatch, http_host: str
) -> None:
    """aiohttp does not report a malformed chunk to the reader of the body, so the deadline ends the request. uvicorn
    answers by itself."""
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    before = await stored_content(node)
    await line.begin(JSON, "Transfer-Encoding: chunked")
    await line.write(b"5\r\n" + MESSAGE[:5] + b"\r\n")
    assert (await node.ask("GET", "/rooms", user="alice")).status == 200  # the server has read up to here
    await line.write(b"nonsense\r\n\r\n")
    if http_host in ON_AIOHTTP:
        assert await line.refusal() == (408, "invalid")
    else:
        assert (await line.reader.readline()).startswith(b"HTTP/1.1 400 ")
    await line.ends()
    assert await stored_content(node) == before


async def test_client_that_leaves_amid_body_logs_no_error(node: HttpNode, caplog: pytest.LogCaptureFixture) -> None:
    for leave in (Line.reset, lambda line: line.writer.close()):
        line = await Line.open(node)
        await line.begin(JSON, f"Content-Length: {len(MESSAGE)}")
        await line.write(MESSAGE[:-1])
        assert (await node.ask("GET", "/rooms", user="alice")).status == 200  # the server has read the body
        leave(line)
        assert (await node.ask("GET", "/rooms", user="alice")).status == 200
    assert (await node.ask("GET", "/users/bob/entries", user="alice")).json["head"] == 2
    assert not caplog.records


async def test_pipelined_requests_are_answered_in_order(line: Line) -> None:
    for number in (1, 2):
        body = json.dumps({"key": f"k{number}", "body": "x"}).encode()
        await line.begin(JSON, f"Content-Length: {len(body)}")
        await line.write(body)
    assert [(await line.answer())[1]["seq"] for _ in range(2)] == [3, 4]
