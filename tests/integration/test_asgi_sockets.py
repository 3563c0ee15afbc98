"""Websockets of ChatApp on uvicorn: official Socket.IO clients, and the stop of the server."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import ClientSession

from chatcore import SendMessage

from .clients import TIMEOUT_S
from .host_processes import ASGI, PREFIX, HostProcess, host_process
from .official import COMES_BACK_S, OfficialClient, javascript_client, python_client
from .plain_client import PlainClient
from .socket_hosts import SocketHost, socket_host
from .socketio.silent import SOCKETIO, SilentClient

pytestmark = pytest.mark.anyio

STOP_S = 10

Connect: TypeAlias = Callable[[HostProcess, str], AbstractAsyncContextManager[OfficialClient]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["python", "javascript"])
def connect(request: pytest.FixtureRequest, node_modules: Path) -> Connect:
    """Opens a JavaScript or a Python client with default options."""

    def opened(host: HostProcess, token: str) -> AbstractAsyncContextManager[OfficialClient]:
        path = f"{PREFIX}/socket.io/"
        if request.param == "python":
            return python_client(host.origin, token, path)
        return javascript_client(host.origin, token, node_modules, path)

    return opened


@pytest.mark.parametrize("implementation", ASGI)
async def test_default_clients_chat_in_order(implementation: str, connect: Connect, tmp_path: Path) -> None:
    async with (
        host_process(tmp_path, implementation) as server,
        connect(server, "alice") as alice,
        connect(server, "bob") as bob,
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


@pytest.mark.parametrize("implementation", ASGI)
async def test_kicked_default_client_is_told_and_stays_away(
    implementation: str, connect: Connect, tmp_path: Path
) -> None:
    async with (
        host_process(tmp_path, implementation) as server,
        connect(server, "alice") as alice,
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


@pytest.mark.parametrize("implementation", ASGI)
async def test_stopped_server_exits_within_10_s_and_clients_resume(
    implementation: str, connect: Connect, tmp_path: Path
) -> None:
    async with host_process(tmp_path, implementation) as server:
        port = server.port
        async with connect(server, "alice") as alice, ClientSession() as http:
            bob = await (await PlainClient.open(http, f"{server.url}/ws")).connect("bob")
            await alice.call("message.send", {"to": "bob", "key": "k1", "body": "before"})
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S):
                await server.process.wait()
            assert await bob.closed() in (1001, 1012)
            async with host_process(tmp_path, implementation, port=port) as again:
                await alice.until(lambda client: len(client.bodies_of("ready")) == 2, COMES_BACK_S)
                answer = await alice.call("message.send", {"to": "bob", "key": "k1", "body": "before"})
                assert (answer["seq"], answer["duplicate"]) == (1, True)
                bob = await (await PlainClient.open(http, f"{again.url}/ws")).connect("bob")
                synced = await bob.call("sync", {"cursors": {"pvt-alice-bob": {"seq": 0}}})
                assert [entry["body"] for entry in synced["rooms"]["pvt-alice-bob"]["entries"]] == ["before"]
                await bob.close()


@pytest.mark.parametrize("implementation", ASGI)
async def test_ended_sockets_leave_no_task_and_no_count(implementation: str) -> None:
    async with socket_host(implementation) as host:
        await _connect_and_leave(host)  # the server has started then
        before = len(asyncio.all_tasks())
        for _ in range(3):
            await _connect_and_leave(host)
        await _until(lambda: len(asyncio.all_tasks()) <= before)


@pytest.mark.parametrize("implementation", ASGI)
async def test_client_that_never_reads_leaves_no_task_while_it_stays(implementation: str) -> None:
    async with socket_host(implementation) as host:
        await _connect_and_leave(host)
        await host.chat.execute("alice", SendMessage(to="silent", body="first", key="first"))
        before = len(asyncio.all_tasks())
        silent = await (await SilentClient.open(host, path=PREFIX + SOCKETIO)).connect()
        sent = 0
        while host.chat.stats().sockets:
            await host.chat.execute("alice", SendMessage(to="silent", body="x" * 16_000, key=f"{sent}"))
            sent += 1
        await _until(lambda: len(asyncio.all_tasks()) <= before)
        silent.close()


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
