"""Bytes that are no request: what aiohttp's parser refuses before any handler sees it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.clients import PATIENCE_S
from tests.integration.serving import Server, serving

PLANTED = b"PLANTED-SECRET-0123456789"

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "a control character in a header": GET + b"Authorization: Bearer " + PLANTED + b"\x00\r\n\r\n",
    "a header that is too long": GET + b"Cookie: " + PLANTED * 1000 + b"\r\n\r\n",
    "a URL that is too long": b"GET /?token=" + PLANTED * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown method": b"FOO /?token=" + PLANTED + b" HTTP/1.1\r\nHost: x\r\n\r\n",
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
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.anyio
async def test_what_is_no_request_is_answered_as_a_problem_that_repeats_nothing(tmp_path: Path) -> None:
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
        assert "PLANTED" not in server.log
        assert "Traceback" not in server.log
