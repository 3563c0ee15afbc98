"""Bytes that aiohttp's parser refuses before any handler gets a request."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.clients import TIMEOUT_S
from tests.integration.serving import Server, serving

PLANTED = b"PLANTED-SECRET-0123456789"

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "a control character in a header": GET + b"Authorization: Bearer " + PLANTED + b"\x00\r\n\r\n",
    "a header that is too long": GET + b"Cookie: " + PLANTED * 1000 + b"\r\n\r\n",
    "a URL that is too long": b"GET /?token=" + PLANTED * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an unknown method": b"FOO /?token=" + PLANTED + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + PLANTED,
    "a length and chunks": POST + CHUNKED + b"Content-Length: 1\r\n\r\n" + PLANTED,
    "a chunk that is none": POST + CHUNKED + b"\r\n5\r\n" + PLANTED + b"\r\n",
    "no HTTP at all": b"\x16\x03\x01" + PLANTED + b"\r\n\r\n",
    "more than was announced": POST + b'Content-Length: 2\r\n\r\n{}{"password":"' + PLANTED,
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def answer_to(server: Server, sent: bytes) -> bytes:
    """Return all bytes received until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(TIMEOUT_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.anyio
async def test_malformed_request_gets_problem_that_repeats_no_input(tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server:
        for what, sent in REFUSED.items():
            came = await answer_to(server, sent)
            head, _, body = came.rpartition(b"\r\n\r\n")
            assert b"PLANTED" not in came, what
            assert b"aiohttp" not in came, what
            assert b" 400 Bad Request" in head, (what, came)
            assert b"application/problem+json" in head, what
            assert json.loads(body)["code"] == "invalid", what
        await server.stop()
        assert [event["event"] for event in server.events] == ["stopping; a second signal stops it at once", "stopped"]


UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
)
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
SILENT = {
    "a subprotocol that is long": UPGRADE + KEY + b"Sec-WebSocket-Protocol: " + b"eyJ" * 2600 + b"\r\n\r\n",
    "a target whose host is no name": b"GET http://xn--/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a body that breaks off": POST + b"Content-Length: 50\r\nExpect: 100-continue\r\n\r\n{",
}
LOGGED = {
    "a websocket key that is none": UPGRADE + b"Sec-WebSocket-Key: \xff\r\n\r\n",
    "a client of Socket.IO 2": b"GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an origin": GET + b"Origin: https://%d.example\r\n\r\n",
}


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [*SILENT.values(), *LOGGED.values()], ids=[*SILENT, *LOGGED])
async def test_request_without_account_logs_at_most_one_line_a_minute(sent: bytes, tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server:
        for number in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent.replace(b"%d", str(number).encode()))
            async with asyncio.timeout(TIMEOUT_S):
                await reader.read(1)
            writer.close()
        await server.stop()
    lines = [event["event"] for event in server.events if event["logger"] != "chatcore_server.serving"]
    assert len(lines) <= (1 if sent in LOGGED.values() else 0)
