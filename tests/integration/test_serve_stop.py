"""How a server ends: in time, with a bye to every socket, and with everything that it acknowledged."""

import asyncio
import itertools
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from tests.integration.clients import raw_clients
from tests.integration.serve_client import User, sign_in, signed_in
from tests.integration.serving import TIMEOUT_S, Server, launch, serving

pytestmark = pytest.mark.anyio

STOP_S = 10


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    async with serving(tmp_path) as server:
        yield server


async def open_line(server: Server, data: bytes) -> asyncio.StreamWriter:
    """Open a connection, and send only ``data``."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    await writer.drain()
    return writer


def half_a_message(user: User) -> bytes:
    return (
        f"POST /api/v1/users/{user.name}/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {user.token}\r\n"
        'Content-Type: application/json\r\nContent-Length: 30\r\n\r\n{"key": '
    ).encode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
async def test_server_with_open_sockets_ends_with_0_within_10_seconds(number: signal.Signals, server: Server) -> None:
    async with signed_in(server, "alice") as alice, raw_clients(f"{server.url}/socket.io/") as clients:
        await alice.send("alice", "k")
        connected = [await clients.connect(alice.token) for _ in range(20)]
        silent = await clients.open()  # never sends CONNECT
        deaf = await clients.connect(alice.token, answers_pings=False)
        deaf.websocket._reader._protocol.pause_reading()
        lines = [await open_line(server, data) for data in (b"", b"GET / HT", half_a_message(alice))]
        begun = time.monotonic()
        assert await server.stop(number) == 0
        assert time.monotonic() - begun < STOP_S
        for client in connected:
            assert await client.closed() == 1001
            assert client.bodies_of("bye")[0] | {"retry_after_ms": 0} == {
                "code": "shutdown",
                "resumable": True,
                "retry_after_ms": 0,
            }
        await silent.closed()
        for line in lines:
            line.close()
    assert [event["event"] for event in server.events][-2:] == ["stopping; a second signal stops it at once", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_second_signal_ends_server_at_once(number: signal.Signals, server: Server) -> None:
    async with signed_in(server, "alice") as alice:
        lines = [await open_line(server, half_a_message(alice)) for _ in range(3)]
        await alice.send("alice", "k")  # the server waits for the rest of these messages
        server.process.send_signal(number)
        await server.until(lambda server: "stopping" in server.log)
        begun = time.monotonic()
        assert await server.stop(number) == -number
        assert time.monotonic() - begun < 1
        for line in lines:
            line.close()


async def test_second_sighup_does_not_end_server_before_drain(server: Server) -> None:
    async with signed_in(server, "alice") as alice, raw_clients(f"{server.url}/socket.io/") as clients:
        client = await clients.connect(alice.token)
        line = await open_line(server, half_a_message(alice))
        await alice.send("alice", "k")
        server.process.send_signal(signal.SIGHUP)
        await server.until(lambda server: "stopping" in server.log)
        assert await server.stop(signal.SIGHUP) == 0
        assert await client.closed() == 1001
        line.close()


async def test_sighup_ignored_at_start_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup: child processes inherit the setting
    try:
        server = await launch(tmp_path, "serve", "--port", "0", "--store", "memory")
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        await server.until(lambda server: server.url)
        server.process.send_signal(signal.SIGHUP)
        async with signed_in(server, "alice") as alice:
            await alice.send("alice", "k")
        assert await server.stop() == 0
        assert [event["event"] for event in server.events] == ["stopping; a second signal stops it at once", "stopped"]
    finally:
        await server.kill()


async def test_message_acknowledged_while_stopping_is_kept(server: Server, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    keys = itertools.count()
    enough = asyncio.Event()

    async def keep_sending(user: User) -> None:
        while True:
            key = f"{next(keys)}"
            await user.send("bob", key, body=key)
            acknowledged.append(key)
            if len(acknowledged) == 50:
                enough.set()

    async with ClientSession() as http:
        await sign_in(http, server.url, "bob")
        alice = await sign_in(http, server.url, "alice")
        sending = [asyncio.create_task(keep_sending(alice)) for _ in range(8)]
        await enough.wait()
        assert await server.stop() == 0
        for ended in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(ended, ClientError | ConnectionError | AssertionError)
            assert not isinstance(ended, AssertionError) or '"temporary":true' in str(ended)
    async with serving(tmp_path) as again, signed_in(again, "alice") as alice:
        entries = await alice.entries("bob")
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    bodies = [entry["body"] for entry in entries]
    assert len(set(bodies)) == len(bodies)
    assert set(acknowledged) <= set(bodies)


async def test_port_is_free_again_at_once(server: Server, tmp_path: Path) -> None:
    async with signed_in(server, "alice") as alice:
        await alice.send("alice", "k")
        port = server.port
        assert await server.stop() == 0
        async with serving(tmp_path, port=port) as again:
            assert again.port == port


async def test_folder_of_killed_server_is_taken_by_next_server(server: Server, tmp_path: Path) -> None:
    async with signed_in(server, "alice") as alice:
        await alice.send("alice", "k", body="said before")
        await server.kill()
    async with serving(tmp_path) as again, signed_in(again, "alice") as alice:
        assert [entry["body"] for entry in await alice.entries("alice")] == ["said before"]


async def test_stopping_server_accepts_no_connection(server: Server) -> None:
    async with signed_in(server, "alice") as alice:
        line = await open_line(server, half_a_message(alice))
        await alice.send("alice", "k")
        server.process.send_signal(signal.SIGTERM)
        await server.until(lambda server: "stopping" in server.log)
        async with asyncio.timeout(TIMEOUT_S):  # the server stops shortly after this log line
            while await is_open(server.port):
                pass
        assert server.process.returncode is None
        assert await server.ended() == 0
        line.close()


async def is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def test_hanging_store_does_not_delay_stop(server: Server, tmp_path: Path) -> None:
    """Another process locks the database. Messages without an acknowledgement may be lost."""
    async with signed_in(server, "alice") as alice, raw_clients(f"{server.url}/socket.io/") as clients:
        await alice.send("alice", "k")
        client = await clients.connect(alice.token)
        database = sqlite3.connect(tmp_path / "chatcore-data" / "chatcore.sqlite3", isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        await client.emit("message.send", {"to": "alice", "key": "socket", "body": "x"}, number=1)
        sending = asyncio.create_task(alice.send("alice", "http"))
        async with alice.http.get(f"{server.url}/healthz") as answer:
            assert answer.status == 200  # both have been read
        begun = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - begun < STOP_S
        await client.closed()
        assert not client.answers.get(1, {"ok": False})["ok"]
        (failed,) = await asyncio.gather(sending, return_exceptions=True)
        assert isinstance(failed, ClientError | AssertionError)
        database.close()
