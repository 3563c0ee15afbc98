"""Websockets of ChatApp on uvicorn: official Socket.IO clients, slow consumers, and the stop of the server."""

import asyncio
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import ClientError, ClientSession
from attrs import define

from .clients import TIMEOUT_S, RawClient, raw_clients
from .official import COMES_BACK_S, OfficialClient, javascript_client, python_client
from .plain_client import PlainClient
from .socket_hosts import SocketHost, socket_host
from .socketio.silent import frame

pytestmark = pytest.mark.anyio

IMPLEMENTATIONS = ("wsproto", "websockets-sansio")
MIB = 1024 * 1024
BODY = "x" * 16_000
MESSAGES = 20 * MIB // len(BODY) + 1
STOP_S = 10

Connect: TypeAlias = Callable[[str, str], AbstractAsyncContextManager[OfficialClient]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["python", "javascript"])
def connect(request: pytest.FixtureRequest, node_modules: Path) -> Connect:
    """Opens a JavaScript or a Python client with default options."""

    def opened(url: str, token: str) -> AbstractAsyncContextManager[OfficialClient]:
        return python_client(url, token) if request.param == "python" else javascript_client(url, token, node_modules)

    return opened


@define
class Program:
    """`asgi_program` in a process of its own."""

    process: asyncio.subprocess.Process
    url: str
    port: int

    @property
    def rss(self) -> int:
        """The process's resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@asynccontextmanager
async def program(folder: Path, implementation: str, port: int | None = None) -> AsyncGenerator[Program]:
    port = port or free_port()
    arguments = ("-m", "tests.integration.asgi_program", str(folder), implementation, str(port))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    url = f"http://127.0.0.1:{port}"
    try:
        async with ClientSession() as http, asyncio.timeout(TIMEOUT_S * 2):
            while True:
                try:
                    async with http.get(f"{url}/api/v1/rooms"):
                        break
                except ClientError:
                    await asyncio.sleep(0.05)  # nothing tells that another process listens
        yield Program(process, url, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def silent_socketio(port: int) -> socket.socket:
    """Open a Socket.IO websocket with a small receive buffer, connect as ``silent``, and read nothing after `ready`."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    handshake = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await loop.sock_sendall(sock, handshake.encode())
    received = b""
    while b'0{"sid"' not in received:
        received += await loop.sock_recv(sock, 65_536)
    await loop.sock_sendall(sock, frame('40{"token":"silent"}'))
    while b'42["ready"' not in received:
        received += await loop.sock_recv(sock, 65_536)
    return sock


async def send_all(sender: RawClient, room: str, key: str) -> None:
    """Send `MESSAGES` messages, 20 at a time."""
    for first in range(0, MESSAGES, 20):
        await asyncio.gather(
            *(
                sender.call("message.send", {"room": room, "key": f"{key}{number}", "body": BODY})
                for number in range(first, min(first + 20, MESSAGES))
            )
        )


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_default_clients_chat_in_order(implementation: str, connect: Connect, tmp_path: Path) -> None:
    async with (
        program(tmp_path, implementation) as server,
        connect(server.url, "alice") as alice,
        connect(server.url, "bob") as bob,
    ):
        numbers = [
            alice.emit("message.send", {"to": "bob", "key": f"k{number}", "body": f"{number} 😀"})
            for number in range(300)
        ]
        for client in (alice, bob):
            await client.until(lambda client: len(client.bodies_of("entry")) == 300)
            assert [entry["body"] for entry in client.bodies_of("entry")] == [f"{number} 😀" for number in range(300)]
        await alice.until(lambda client: client._answers(numbers[-1]))
        answers = [(number, answer["seq"]) for kind, number, answer in alice.arrived if kind == "answer"]
        assert answers == [(number, place + 1) for place, number in enumerate(numbers)]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_kicked_default_client_is_told_and_stays_away(
    implementation: str, connect: Connect, tmp_path: Path
) -> None:
    async with (
        program(tmp_path, implementation) as server,
        connect(server.url, "alice") as alice,
        ClientSession(headers={"Authorization": "Bearer alice"}) as http,
    ):
        socket_id = alice.bodies_of("ready")[0]["socket"]
        began = time.monotonic()
        async with http.delete(f"{server.url}/api/v1/sockets/{socket_id}") as answer:
            assert answer.status == 204
        await alice.until(lambda client: client.life("disconnect"))
        assert time.monotonic() - began < 1
        assert alice.bodies_of("bye") == [{"code": "kicked", "resumable": False}]
        assert alice.life("disconnect")[0] in ("io server disconnect", "server disconnect")
        async with http.get(f"{server.url}/api/v1/sockets") as answer:
            assert (await answer.json())["sockets"] == []


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_client_that_never_reads_is_cut_and_costs_at_most_8_mib(implementation: str, tmp_path: Path) -> None:
    """20 MiB are pushed to it. Neighbours on Socket.IO and on the plain WebSocket receive everything in order."""
    async with (
        program(tmp_path, implementation) as server,
        raw_clients(f"{server.url}/socket.io/") as clients,
        ClientSession() as http,
    ):
        alice, bob = await clients.connect("alice"), await clients.connect("bob")
        carl = await (await PlainClient.open(http, f"{server.url}/ws")).connect("carl")
        members = ["bob", "carl", "silent"]
        created = await alice.call("room.create", {"kind": "group", "title": "all", "members": members, "key": "r"})
        room = created["room"]
        silent_joins = await (await clients.open()).connect("silent")
        await silent_joins.call("room.join", {"room": room})
        await silent_joins.close()
        for client in (bob, carl):
            await client.call("room.join", {"room": room})
        before, warm = 0, server.rss
        for warm_up in range(10):  # until the server's own memory no longer grows
            await send_all(alice, room, f"warm up {warm_up}")
            before, warm = warm, server.rss
            if warm - before < MIB // 4:
                break
        before = warm
        silent = await silent_socketio(server.port)
        most = before
        sending = asyncio.create_task(send_all(alice, room, "k"))
        while not sending.done():
            most = max(most, server.rss)
            await asyncio.wait({sending}, timeout=0.05)
        await sending
        last = (await alice.call("room.get", {"room": room}))["head"]
        for raw in (alice, bob):
            await raw.until(lambda client: client.entries(room)[-1]["seq"] == last)
            seqs = [entry["seq"] for entry in raw.entries(room)]
            assert seqs == list(range(seqs[0], last + 1))
        await carl.until(lambda client: client.bodies_of("entry")[-1]["seq"] == last)
        seqs = [entry["seq"] for entry in carl.bodies_of("entry")]
        assert seqs == list(range(seqs[0], last + 1))
        async with http.get(f"{server.url}/api/v1/sockets", headers={"Authorization": "Bearer silent"}) as answer:
            assert (await answer.json())["sockets"] == []
        assert max(most, server.rss) - before <= 8 * MIB
        silent.close()
        await carl.close()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_slow_consumer_finds_bye_slow_behind_what_it_had_not_read(implementation: str, tmp_path: Path) -> None:
    async with program(tmp_path, implementation) as server, raw_clients(f"{server.url}/socket.io/") as clients:
        alice = await clients.connect("alice")
        silent = await silent_socketio(server.port)
        sent, received = 0, b""
        async with ClientSession(headers={"Authorization": "Bearer silent"}) as http:
            is_open = True
            while is_open and sent < 2_000:
                for _ in range(20):
                    await alice.call("message.send", {"to": "silent", "key": f"k{sent}", "body": BODY})
                    sent += 1
                async with http.get(f"{server.url}/api/v1/sockets") as answer:
                    is_open = bool((await answer.json())["sockets"])
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(TIMEOUT_S):
                while more := await loop.sock_recv(silent, 65_536):
                    received += more
        assert not is_open
        assert received.count(b'42["entry"') < sent
        silent.close()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_stopped_server_exits_within_10_s_and_clients_resume(
    implementation: str, connect: Connect, tmp_path: Path
) -> None:
    async with program(tmp_path, implementation) as server:
        port = server.port
        async with connect(server.url, "alice") as alice, ClientSession() as http:
            bob = await (await PlainClient.open(http, f"{server.url}/ws")).connect("bob")
            await alice.call("message.send", {"to": "bob", "key": "k1", "body": "before"})
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S):
                await server.process.wait()
            assert await bob.closed() in (1001, 1012)
            async with program(tmp_path, implementation, port) as again:
                await alice.until(lambda client: len(client.bodies_of("ready")) == 2, COMES_BACK_S)
                answer = await alice.call("message.send", {"to": "bob", "key": "k1", "body": "before"})
                assert (answer["seq"], answer["duplicate"]) == (1, True)
                bob = await (await PlainClient.open(http, f"{again.url}/ws")).connect("bob")
                synced = await bob.call("sync", {"cursors": {"pvt-alice-bob": {"seq": 0}}})
                assert [entry["body"] for entry in synced["rooms"]["pvt-alice-bob"]["entries"]] == ["before"]
                await bob.close()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_ended_sockets_leave_no_task_and_no_count(implementation: str) -> None:
    async with socket_host(implementation) as host:
        await _connect_and_leave(host)  # the server has started then
        before = len(asyncio.all_tasks())
        for _ in range(3):
            await _connect_and_leave(host)
        await _until(lambda: len(asyncio.all_tasks()) <= before)


async def _connect_and_leave(host: SocketHost) -> None:
    plain, raw = await host.connect(), await host.clients.connect()
    assert host.chat.stats().sockets == 2
    await plain.close()
    await raw.close()
    await _until(lambda: host.chat.stats().sockets == 0)


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
